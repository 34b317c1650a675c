# perl with its modules. Run by Debian's perl in an empty directory, here and on a rack; the outputs must be equal.
use strict; use warnings;
use List::Util qw(sum max first shuffle reduce uniq); use Data::Dumper; use POSIX qw(:sys_wait_h floor strftime setsid dup2 mkfifo);
use File::Temp qw(tempfile tempdir); use File::Find; use File::Path qw(make_path remove_tree); use File::Copy; use File::Basename; use Cwd;
use Fcntl qw(:flock :seek :mode); use IO::Handle; use IO::Select; use IPC::Open3; use Time::HiRes qw(time sleep alarm); use Storable; use Digest::SHA qw(sha256_hex);
use MIME::Base64; use Encode; use Math::BigInt; use Getopt::Long; use Scalar::Util qw(blessed weaken dualvar); use Errno;
$| = 1; $Data::Dumper::Sortkeys = 1; $Data::Dumper::Indent = 1;

print "sum ", sum(1 .. 100), " max ", max(3, 9, 2), " first ", first { $_ > 5 } (1 .. 10); print " ", reduce { $a * $b } 1 .. 10; print " ", join(",", uniq(1, 1, 2)), "\n";
print Dumper({ list => [1, "two", 3.5], nested => { undef => undef, code => \"x" } });
print "floor ", floor(-2.5), " ", strftime("%F %T", gmtime(86400 * 365)), "\n";
my %count; $count{$_}++ for map { $_ % 7 } 1 .. 1000; print join(" ", map { "$_=$count{$_}" } sort keys %count), "\n";
my $text = "The quick brown fox"; (my $copy = $text) =~ s/(\w+)/\u\L$1/g; print "$copy ", scalar(() = $text =~ /o/g), " ", join("|", $text =~ /(\w)(\w+)/g), "\n";
print "sprintf ", sprintf("%05.2f|%-5s|%+d|%b|%o|%e|%vd", 3.14159, "ab", 5, 10, 8, 12345.678, "1.22.333"), " ", pack("NnC", 1, 2, 3) eq "\0\0\0\1\0\2\3" ? "packed" : "", "\n";

# Processes and pipes.
pipe(my $r, my $w) or die; my $pid = fork // die;
if (!$pid) { close $r; print $w "line $_\n" for 1 .. 1000; close $w; exit 5 }
close $w; my @lines = <$r>; waitpid($pid, 0); print "pipe ", scalar(@lines), " status ", $? >> 8, "\n";
my @children = map { my $n = $_; my $p = fork; exit $n if !$p; $p } 1 .. 5; my %status; while ((my $p = wait) > 0) { $status{$p} = $? >> 8 } print "children ", join(",", map { $status{$_} } @children), "\n";
$pid = fork; if (!$pid) { sleep 60; exit } kill TERM => $pid; waitpid $pid, 0; print "killed by ", $? & 127, " ", WIFSIGNALED($?) ? 1 : 0, "\n";
print "backticks ", scalar(`echo hello; exit 3`), $? >> 8, "\n"; print "system ", system("exit 6") >> 8, "\n"; print "list ", system("perl", "-e", 'exit scalar @ARGV', 1, 2) >> 8, "\n";
open(my $sort, "|-", "sort -n > sorted") or die; print $sort "$_\n" for reverse 1 .. 50; close $sort; open(my $sorted, "<", "sorted"); my @s = <$sorted>; print "sorted ", scalar(@s), " $s[0]";
my $p3 = open3(my $to, my $from, undef, "cat; echo err >&2"); print $to "through cat\n"; close $to; print "open3 ", sort <$from>; waitpid $p3, 0;
{ local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 0.2; select undef, undef, undef, 10; }; print "caught $@"; }
{ my $got = 0; local $SIG{USR1} = sub { $got++ }; kill USR1 => $$ for 1 .. 3; print "signals $got\n"; local $SIG{CHLD} = sub { while ((my $p = waitpid(-1, WNOHANG)) > 0) { $got += 10 } }; my $p = fork; exit 0 if !$p; sleep 0.05 for 1 .. 100; print "reaped $got\n"; }
pipe($r, $w); my $select = IO::Select->new($r); print "ready ", scalar($select->can_read(0.05)), "\n"; syswrite $w, "x"; print "ready ", scalar($select->can_read(5)), "\n";

# Files.
my ($fh, $name) = tempfile("tempXXXXX", DIR => "."); print $fh "x" x 10000; close $fh; print "size ", -s $name, " ", (stat $name)[2] & 07777, "\n"; unlink $name;
my $dir = tempdir(CLEANUP => 1, DIR => "."); make_path("$dir/a/b/c", "$dir/d"); open(my $o, ">", "$dir/a/b/c/file"); print $o "data\n"; close $o; copy("$dir/a/b/c/file", "$dir/d/copy"); move("$dir/d/copy", "$dir/d/moved");
my @found; find({ wanted => sub { push @found, $File::Find::name =~ s/^\Q$dir\E//r if -f }, no_chdir => 1 }, $dir); print "found ", join(" ", sort @found), " ", basename("/a/b.txt", ".txt"), "\n"; remove_tree("$dir/a"); print "removed ", -e "$dir/a" ? "no" : "yes", "\n";
open($fh, "+>", "random"); binmode $fh; print $fh pack("N*", 0 .. 999); seek $fh, 400, SEEK_SET; read $fh, my $four, 4; print "seek ", unpack("N", $four), " ", tell $fh, "\n"; truncate $fh, 100; print "truncated ", -s $fh, "\n"; close $fh;
open($fh, ">", "locked"); flock $fh, LOCK_EX; $pid = fork; if (!$pid) { open(my $g, ">", "locked"); exit(flock($g, LOCK_EX | LOCK_NB) ? 0 : $!{EWOULDBLOCK} ? 7 : 8) } waitpid $pid, 0; print "lock ", $? >> 8, "\n"; close $fh;
open($fh, "<", "none") or print "error $! ", $!{ENOENT} ? 1 : 0, "\n"; symlink "locked", "sym"; print "link ", readlink "sym", " ", -l "sym" ? 1 : 0, " ", join(",", map { sprintf "%o", $_ } S_IMODE((lstat "sym")[2])), "\n"; utime 1000, 2000, "locked"; print "times ", (stat "locked")[8, 9], "\n"; rename "locked", "renamed"; opendir(my $d, "."); print "dir ", join(" ", grep { !/^\.|temp/ && !/^\w{10}$/ } sort readdir $d), "\n";
mkfifo("fifo", 0600); $pid = fork; if (!$pid) { open(my $f, ">", "fifo"); print $f "through the fifo\n"; exit } open(my $f, "<", "fifo"); print <$f>; waitpid $pid, 0; chmod 0600, "renamed"; print "mode ", sprintf("%o", (stat "renamed")[2]), "\n";
store({ a => [1 .. 5] }, "stored"); print "stored ", join(",", @{ retrieve("stored")->{a} }), " ", sha256_hex("abc"), " ", encode_base64("perl"), length(encode("UTF-8", "\x{20ac}")), " ", Math::BigInt->new(2)->bpow(100), "\n";
print "times ", (times)[0] >= 0 ? "ok" : "bad", " ", time - $^T < 600 ? "ok" : "late", " ", getpwuid(0) // "none", " ", (getpwnam "root")[7] // "none", "\n"; my $closure = do { my $n = 0; sub { ++$n } }; $closure->() for 1 .. 4; print "closure ", $closure->(), "\n";
my @big = map { $_ * 3 % 10007 } 1 .. 100000; my @ordered = sort { $a <=> $b } @big; print "big $ordered[0] $ordered[50000] ", sha256_hex(join ",", @ordered), "\n"; my $long = "ab" x 1_000_000; print "long ", ($long =~ tr/a//), " ", length(reverse $long), "\n";
sub Thing::new { bless { v => $_[1] }, $_[0] } sub Thing::DESTROY { print "destroyed $_[0]{v}\n" } { my $t = Thing->new(1); } local $@; eval { die { code => 42 } }; print "died $@->{code} ", (caller(0))[3] // "main", "\n"; exec "echo", "exec";
