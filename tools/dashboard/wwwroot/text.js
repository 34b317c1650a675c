// Numbers for people; a dash for what there is not.

export const number = value => value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en");

export function bytes(value) {
  if (value === null || value === undefined) {
    return "–";
  }

  const units = ["B", "K", "M", "G", "T"];
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) {
    value /= 1024;
  }

  return `${value < 10 && value % 1 !== 0 ? value.toFixed(1) : Math.round(value)}${units[unit]}`;
}
