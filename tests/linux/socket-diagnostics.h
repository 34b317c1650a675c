/* What sock_diag(7) tells of a program's own sockets. A part of internet-sockets.c. */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/stat.h>
#include <sys/un.h>

/* The sockets that the program knows, by their inodes. */
static int known[16];
static int known_count;

static int whose_is(unsigned inode)
{
	struct stat status;
	for (int i = 0; i < known_count; i++)
		if (fstat(known[i], &status) == 0 && status.st_ino == inode)
			return i;
	return -1;
}

static void ask(int question, const void *body, int length, int flags, int type)
{
	char bytes[256];
	struct nlmsghdr *header = (void *)bytes;
	memset(bytes, 0, sizeof bytes);
	header->nlmsg_len = NLMSG_LENGTH(length);
	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	header->nlmsg_seq = 7;
	memcpy(NLMSG_DATA(header), body, length);
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	sendto(question, bytes, header->nlmsg_len, 0, (void *)&kernel, sizeof kernel);
}

static char texts[16][400];

static void note_attributes(char *text, struct rtattr *first, int length, int is_unix)
{
	/* In the order of their numbers; those of queues and memory say how much of what differs. */
	for (int wanted = 0; wanted < 16; wanted++) {
		int rest = length;
		for (struct rtattr *each = first; RTA_OK(each, rest); each = RTA_NEXT(each, rest)) {
			if (each->rta_type != wanted)
				continue;
			if (is_unix && wanted == UNIX_DIAG_NAME)
				sprintf(text + strlen(text), " name %.*s", (int)RTA_PAYLOAD(each) - 1, (char *)RTA_DATA(each) + 1);
			else if (is_unix && wanted == UNIX_DIAG_PEER)
				sprintf(text + strlen(text), " peer %d", whose_is(*(unsigned *)RTA_DATA(each)));
			else if (is_unix && wanted == UNIX_DIAG_RQLEN)
				sprintf(text + strlen(text), " queue %u", *(unsigned *)RTA_DATA(each));
			else if (wanted == (is_unix ? UNIX_DIAG_SHUTDOWN : INET_DIAG_SHUTDOWN))
				sprintf(text + strlen(text), " shut %d", *(unsigned char *)RTA_DATA(each));
			else if (!is_unix && wanted == INET_DIAG_SKV6ONLY)
				sprintf(text + strlen(text), " only 6 %d", *(unsigned char *)RTA_DATA(each));
			else if (!is_unix && wanted == INET_DIAG_INFO)
				sprintf(text + strlen(text), " state %d", ((struct tcp_info *)RTA_DATA(each))->tcpi_state);
		}
	}
}

/* Reads a whole answer and prints what it says of the known sockets, in their order. */
static void told(const char *what, int question)
{
	static char bytes[65536];
	memset(texts, 0, sizeof texts);
	for (int is_over = 0; !is_over;) {
		int length = recv(question, bytes, sizeof bytes, 0);
		if (length < 0)
			break;
		for (struct nlmsghdr *each = (void *)bytes; NLMSG_OK(each, length) && !is_over; each = NLMSG_NEXT(each, length)) {
			is_over = each->nlmsg_type == NLMSG_DONE || each->nlmsg_type == NLMSG_ERROR;
			if (each->nlmsg_type == NLMSG_ERROR)
				printf("%s: error %d\n", what, ((struct nlmsgerr *)NLMSG_DATA(each))->error);
			if (each->nlmsg_type == NLMSG_DONE && *(int *)NLMSG_DATA(each))
				printf("%s: ends with %d\n", what, *(int *)NLMSG_DATA(each));
			if (is_over)
				break;
			struct inet_diag_msg *in = NLMSG_DATA(each);
			struct unix_diag_msg *un = NLMSG_DATA(each);
			int is_unix = in->idiag_family == AF_UNIX;
			int which = whose_is(is_unix ? un->udiag_ino : in->idiag_inode);
			if (which < 0)
				continue;
			char *text = texts[which], local[64], remote[64];
			if (is_unix) {
				sprintf(text, "type %d state %d", un->udiag_type, un->udiag_state);
				note_attributes(text, (void *)(un + 1), each->nlmsg_len - NLMSG_LENGTH(sizeof *un), 1);
				continue;
			}
			inet_ntop(in->idiag_family, in->id.idiag_src, local, sizeof local);
			inet_ntop(in->idiag_family, in->id.idiag_dst, remote, sizeof remote);
			sprintf(text, "family %d state %d %s %d %s %s queues %u %u user %u", in->idiag_family, in->idiag_state, local,
				ntohs(in->id.idiag_sport) < 10000 ? ntohs(in->id.idiag_sport) : 1, remote, in->id.idiag_dport ? "port" : "none",
				/* Linux counts an end that nobody has read. */
				in->idiag_state == 8 || (in->idiag_state == 7 && in->idiag_rqueue) ? 1 : in->idiag_rqueue, in->idiag_wqueue, in->idiag_uid);
			note_attributes(text, (void *)(in + 1), each->nlmsg_len - NLMSG_LENGTH(sizeof *in), 0);
		}
	}
	for (int i = 0; i < known_count; i++)
		if (texts[i][0])
			printf("%d %s: socket %d %s\n", version, what, i, texts[i]);
}

static void diagnostics(void)
{
	struct sockaddr_storage name;
	socklen_t length = address_of(&name, 0, 7000);
	int question = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	int pair[2], friends[2], one = 1;
	known_count = 0;
	joined(pair);
	write(pair[0], "twelve bytes", 12);
	shutdown(pair[1], SHUT_WR);
	usleep(20000);
	known[known_count++] = pair[0];
	known[known_count++] = pair[1];
	known[known_count++] = socket(family(), SOCK_STREAM, 0);
	bind(known[2], (void *)&name, length);
	listen(known[2], 5);
	known[known_count++] = socket(family(), SOCK_STREAM, 0);
	connect(known[3], (void *)&name, length);
	known[known_count++] = socket(family(), SOCK_DGRAM, 0);
	if (version == 6)
		setsockopt(known[4], SOL_IPV6, IPV6_V6ONLY, &one, sizeof one);
	address_of(&name, 0, 7001);
	bind(known[4], (void *)&name, length);
	known[known_count++] = socket(family(), SOCK_DGRAM, 0);
	connect(known[5], (void *)&name, length);
	send(known[5], "x", 1, 0);
	/* Linux may be built without those of raw sockets. */
	known[known_count++] = socket(family(), SOCK_RAW, 253);
	known[known_count++] = socket(family(), SOCK_STREAM, 0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, friends);
	write(friends[0], "hello", 5);
	shutdown(friends[1], SHUT_WR);
	known[known_count++] = friends[0];
	known[known_count++] = friends[1];
	struct sockaddr_un path = { AF_UNIX, "\0waiting" };
	known[known_count++] = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	bind(known[10], (void *)&path, sizeof(sa_family_t) + 8);
	listen(known[10], 3);
	known[known_count++] = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	connect(known[11], (void *)&path, sizeof(sa_family_t) + 8);
	known[known_count++] = socket(AF_UNIX, SOCK_DGRAM, 0);

	int protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	for (int i = 0; i < 3; i++) {
		struct inet_diag_req_v2 request = { .sdiag_family = family(), .sdiag_protocol = protocols[i], .idiag_states = -1,
			.idiag_ext = 1 << (INET_DIAG_INFO - 1) };
		ask(question, &request, sizeof request, NLM_F_DUMP, SOCK_DIAG_BY_FAMILY);
		told("all", question);
		request.idiag_states = 1 << 10;
		request.idiag_ext = 0;
		ask(question, &request, sizeof request, NLM_F_DUMP, SOCK_DIAG_BY_FAMILY);
		told("listening", question);
	}
	struct unix_diag_req request = { .sdiag_family = AF_UNIX, .udiag_states = -1,
		.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN };
	ask(question, &request, sizeof request, NLM_F_DUMP, SOCK_DIAG_BY_FAMILY);
	told("unix", question);
	request.udiag_states = 1 << 10;
	request.udiag_show = 0;
	ask(question, &request, sizeof request, NLM_F_DUMP, SOCK_DIAG_BY_FAMILY);
	told("listening", question);
	ask(question, &request, 8, NLM_F_DUMP, SOCK_DIAG_BY_FAMILY);
	told("short", question);
	request.sdiag_family = AF_APPLETALK;
	ask(question, &request, sizeof request, NLM_F_DUMP, SOCK_DIAG_BY_FAMILY);
	told("no such family", question);
	for (int i = 0; i < known_count; i++)
		close(known[i]);
	close(question);
}
