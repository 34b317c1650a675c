/*
 * unix-sockets: what AF_UNIX sockets do: streams, datagrams and packets; names; descriptors and identities that messages carry; options,
 * flags and errors (unix(7), socket(7), send(2), recv(2)). Prints one line per finding, the same on any Linux host and on a rack.
 *
 * gcc -O2 -static -pthread -w -o unix-sockets unix-sockets.c
 * usage: unix-sockets FOLDER
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include <linux/sockios.h>

#include "results.h"

static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
static const char *const names[] = { "stream", "datagram", "packet" };

static void say_type(int type, const char *what, long value)
{
	printf("%s %s: %s\n", names[type], what, result(value));
}

static socklen_t name_of(struct sockaddr_un *name, const char *text, int is_abstract)
{
	memset(name, 0, sizeof *name);
	name->sun_family = AF_UNIX;
	strcpy(name->sun_path + is_abstract, text);
	return offsetof(struct sockaddr_un, sun_path) + is_abstract + strlen(text) + !is_abstract;
}

static void say_name(const char *what, int socket, int of_peer)
{
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof name;
	int got = of_peer ? getpeername(socket, (void *)&name, &length) : getsockname(socket, (void *)&name, &length);
	if (got < 0) {
		printf("%s: %s\n", what, strerrorname_np(errno));
		return;
	}
	printf("%s: %u ", what, length);
	for (unsigned i = 0; i + 2 < length; i++)
		printf(name.sun_path[i] ? "%c" : "@", name.sun_path[i]);
	printf("\n");
}

static void say_events(const char *what, int socket)
{
	struct pollfd wanted = { socket, POLLIN | POLLOUT | POLLRDHUP | POLLPRI | POLLRDNORM | POLLWRNORM | POLLWRBAND, 0 };
	int count = poll(&wanted, 1, 0);
	printf("%s: %d %x\n", what, count, wanted.revents);
}

static long option(int socket, int level, int number)
{
	int value = -1;
	socklen_t length = sizeof value;
	return getsockopt(socket, level, number, &value, &length) < 0 ? -1 : value;
}

static void creation(void)
{
	static const int families[] = { -1, 0, 1, 3, 45, 46, 1000 };
	static const int kinds[] = { -1, 0, 1, 2, 3, 4, 5, 6, 10, 11, 15, 1 | SOCK_CLOEXEC, 1 | 020, 2 | SOCK_NONBLOCK };
	char what[64];
	for (int i = 0; i < 7; i++) {
		sprintf(what, "socket of family %d", families[i]);
		int made = socket(families[i], SOCK_STREAM, 0);
		printf("%s: %s\n", what, done(made));
		close(made);
	}
	for (int i = 0; i < 14; i++) {
		sprintf(what, "socket of type %d", kinds[i]);
		int made = socket(AF_UNIX, kinds[i], 0);
		printf("%s: %s %x %x\n", what, done(made), fcntl(made, F_GETFD), fcntl(made, F_GETFL));
		close(made);
	}
	for (int protocol = -1; protocol < 4; protocol++) {
		sprintf(what, "socket of protocol %d", protocol);
		int made = socket(AF_UNIX, SOCK_STREAM, protocol);
		printf("%s: %s %s\n", what, done(made), result(option(made, SOL_SOCKET, SO_PROTOCOL)));
		close(made);
	}
	int pair[2];
	printf("pair of no address: %s\n", error_of(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)8)));
	printf("pair of an unknown family: %s\n", error_of(socketpair(45, SOCK_STREAM, 0, pair)));
	printf("pair with flags: %s\n", error_of(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)));
	printf("descriptors next to each other: %d\n", pair[1] - pair[0]);
	struct stat status;
	fstat(pair[0], &status);
	printf("mode %o size %ld\n", status.st_mode, (long)status.st_size);
	printf("seek: %s\n", error_of(lseek(pair[0], 0, SEEK_SET)));
	char text[8];
	printf("pread: %s\n", error_of(pread(pair[0], text, 1, 0)));
	printf("truncate: %s\n", error_of(ftruncate(pair[0], 0)));
	printf("sync: %s\n", error_of(fsync(pair[0])));
	printf("readdir: %s\n", error_of(open("/dev/null/x", O_RDONLY)));
	close(pair[0]);
	close(pair[1]);
}

static void wrong_descriptors(void)
{
	struct sockaddr_un name;
	socklen_t length = sizeof name;
	struct msghdr header = { 0 };
	int files[] = { -1, 99, open("/dev/null", O_RDWR), open("/", O_PATH) };
	for (int i = 0; i < 4; i++) {
		int file = files[i];
		printf("descriptor %d: bind %s, connect %s, listen %s,", i, error_of(bind(file, (void *)&name, 4)), error_of(connect(file,
			(void *)&name, 4)), error_of(listen(file, 1)));
		printf(" accept %s, names %s %s,", error_of(accept(file, 0, 0)), error_of(getsockname(file, (void *)&name, &length)),
			error_of(getpeername(file, (void *)&name, &length)));
		printf(" send %s, receive %s, messages %s %s,", error_of(send(file, "x", 1, 0)), error_of(recv(file, &name, 1, 0)),
			error_of(sendmsg(file, &header, 0)), error_of(recvmsg(file, &header, 0)));
		printf(" shutdown %s, options %s %s\n", error_of(shutdown(file, 0)), error_of(option(file, 1, 3)), error_of(setsockopt(file, 1, 2,
			&length, 4)));
	}
	close(files[2]);
	close(files[3]);
}

static void unconnected(void)
{
	for (int type = 0; type < 3; type++) {
		int one = socket(AF_UNIX, types[type] | SOCK_NONBLOCK, 0);
		char text[8];
		struct sockaddr_un name;
		socklen_t length = name_of(&name, "nobody-is-here", 1);
		say_type(type, "send", send(one, "x", 1, MSG_NOSIGNAL));
		say_type(type, "write", write(one, "x", 1));
		say_type(type, "receive", recv(one, text, 8, 0));
		say_type(type, "receive nothing", recv(one, text, 0, 0));
		say_type(type, "send to nobody", sendto(one, "x", 1, MSG_NOSIGNAL, (void *)&name, length));
		say_type(type, "connect to nobody", connect(one, (void *)&name, length));
		say_type(type, "listen without a name", listen(one, 1));
		say_type(type, "accept", accept(one, 0, 0));
		say_name("name", one, 0);
		say_name("peer", one, 1);
		say_events("events", one);
		say_type(type, "urgent", send(one, "x", 1, MSG_OOB | MSG_NOSIGNAL) < 0 ? -1 : 0);
		for (int how = -1; how < 4; how++)
			say_type(type, "shutdown", shutdown(one, how));
		say_events("events after", one);
		say_type(type, "receive after", recv(one, text, 8, 0));
		say_type(type, "send after", send(one, "x", 1, MSG_NOSIGNAL));
		close(one);
	}
}

static void addresses(void)
{
	struct sockaddr_un name;
	for (int type = 0; type < 3; type++) {
		for (int length = 0; length < 130; length += length < 4 || length > 105 && length < 112 ? 1 : 25) {
			int one = socket(AF_UNIX, types[type], 0);
			char room[256] = { 0 };
			memset(room, 'x', sizeof room);
			*(short *)room = AF_UNIX;
			room[2] = 0;
			printf("%s bind of %d bytes: %s, connect %s\n", names[type], length, error_of(bind(one, (void *)room, length)), error_of(connect(one,
				(void *)room, length)));
			if (length != 2)
				say_name("name", one, 0);
			close(one);
		}
		int one = socket(AF_UNIX, types[type], 0);
		name_of(&name, "x", 0);
		name.sun_family = AF_INET;
		say_type(type, "bind of a wrong family", bind(one, (void *)&name, 10));
		say_type(type, "connect of a wrong family", connect(one, (void *)&name, 10));
		say_type(type, "bind without an address", bind(one, (void *)8, 10));
		say_type(type, "bind of a negative length", bind(one, (void *)&name, -1));
		sa_family_t unix_family = AF_UNIX;
		say_type(type, "bind of the family alone", bind(one, (void *)&unix_family, 2));
		struct sockaddr_un given = { 0 };
		socklen_t length = sizeof given;
		getsockname(one, (void *)&given, &length);
		printf("automatic name: %u bytes, hexadecimal: %d\n", length, given.sun_path[0] == 0 && strspn(given.sun_path + 1,
			"0123456789abcdef") == 5);
		say_type(type, "again", bind(one, (void *)&unix_family, 2));
		length = name_of(&name, "second-name", 1);
		say_type(type, "bind of what has a name", bind(one, (void *)&name, length));
		length = 3;
		say_type(type, "name with little room", getsockname(one, (void *)&given, &length));
		printf("length %u\n", length);
		length = -1;
		say_type(type, "name with negative room", getsockname(one, (void *)&given, &length));
		say_type(type, "name to nowhere", getsockname(one, (void *)8, (void *)&length) < 0 ? -1 : 0);
		close(one);
	}
	int one = socket(AF_UNIX, SOCK_DGRAM, 0), two = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t length = name_of(&name, "taken", 1);
	printf("taken: %s", error_of(bind(one, (void *)&name, length)));
	printf(" %s", error_of(bind(two, (void *)&name, length)));
	close(one);
	printf(" %s\n", error_of(bind(two, (void *)&name, length)));
	printf("one byte more is another name: %s\n", error_of(connect(two, (void *)&name, length + 1)));
	one = socket(AF_UNIX, SOCK_STREAM, 0);
	printf("another type: %s\n", error_of(connect(one, (void *)&name, length)));
	close(one);
	close(two);
}

static void paths(const char *folder)
{
	char path[108], other[108];
	struct sockaddr_un name;
	struct stat status;
	chdir(folder);
	mkdir("sockets", 0755);
	chdir("sockets");
	umask(022);
	for (int type = 0; type < 3; type++) {
		int one = socket(AF_UNIX, types[type], 0), two = socket(AF_UNIX, types[type], 0), three = socket(AF_UNIX, types[type], 0);
		socklen_t length = name_of(&name, "here", 0);
		say_type(type, "connect to no file", connect(two, (void *)&name, length));
		say_type(type, "bind", bind(one, (void *)&name, length));
		say_name("name", one, 0);
		stat("here", &status);
		printf("mode %o links %ld size %ld\n", status.st_mode, (long)status.st_nlink, (long)status.st_size);
		printf("open: %s\n", error_of(open("here", O_RDWR)));
		printf("bind again: %s\n", error_of(bind(two, (void *)&name, length)));
		printf("connect before listen: %s\n", error_of(connect(two, (void *)&name, length)));
		if (type != 1) {
			printf("listen: %s\n", error_of(listen(one, 3)));
			printf("connect: %s\n", error_of(connect(two, (void *)&name, length)));
			printf("connect again: %s\n", error_of(connect(two, (void *)&name, length)));
			printf("connect of the listener: %s\n", error_of(connect(one, (void *)&name, length)));
			struct sockaddr_un from = { 0 };
			socklen_t room = sizeof from;
			int accepted = accept(one, (void *)&from, &room);
			printf("accepted: %s, %u bytes\n", done(accepted), room);
			say_name("accepted name", accepted, 0);
			say_name("accepted peer", accepted, 1);
			say_name("peer", two, 1);
			close(accepted);
		}
		rename("here", "there");
		length = name_of(&name, "there", 0);
		printf("connect to the new name: %s\n", error_of(connect(three, (void *)&name, length)));
		say_name("name stays", one, 0);
		link("there", "linked");
		symlink("there", "symbolic");
		int four = socket(AF_UNIX, types[type], 0);
		length = name_of(&name, "linked", 0);
		printf("connect by a link: %s\n", error_of(connect(four, (void *)&name, length)));
		close(four);
		four = socket(AF_UNIX, types[type], 0);
		length = name_of(&name, "symbolic", 0);
		printf("connect by a symbolic link: %s\n", error_of(connect(four, (void *)&name, length)));
		printf("bind to a symbolic link: %s\n", error_of(bind(four, (void *)&name, length)));
		close(four);
		close(one);
		four = socket(AF_UNIX, types[type], 0);
		length = name_of(&name, "there", 0);
		printf("connect after the close: %s\n", error_of(connect(four, (void *)&name, length)));
		printf("bind after the close: %s\n", error_of(bind(four, (void *)&name, length)));
		unlink("there");
		printf("bind after the removal: %s\n", error_of(bind(four, (void *)&name, length)));
		close(two);
		close(three);
		close(four);
		unlink("there");
		unlink("linked");
		unlink("symbolic");
	}
	int one = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct { const char *text; } bad[] = { { "missing/x" }, { "/dev/null/x" }, { "" }, { "." }, { "/" } };
	for (int i = 0; i < 5; i++) {
		socklen_t length = name_of(&name, bad[i].text, 0);
		int two = socket(AF_UNIX, SOCK_DGRAM, 0);
		if (i != 2)
			printf("bind to \"%s\": %s\n", bad[i].text, error_of(bind(two, (void *)&name, length)));
		printf("connect to \"%s\": %s\n", bad[i].text, error_of(connect(two, (void *)&name, length)));
		close(two);
	}
	close(open("plain", O_CREAT | O_RDWR, 0666));
	socklen_t length = name_of(&name, "plain", 0);
	printf("connect to a file: %s\n", error_of(connect(one, (void *)&name, length)));
	printf("mknod of a socket: %s\n", error_of(mknod("made", S_IFSOCK | 0777, 0)));
	length = name_of(&name, "made", 0);
	printf("connect to it: %s\n", error_of(connect(one, (void *)&name, length)));
	close(one);
	one = socket(AF_UNIX, SOCK_DGRAM, 0);
	unlink("made");
	printf("bind: %s\n", error_of(bind(one, (void *)&name, length)));
	if (fork() == 0) {
		setgid(1000);
		setuid(1000);
		int two = socket(AF_UNIX, SOCK_DGRAM, 0);
		printf("connect without a right to write: %s\n", error_of(connect(two, (void *)&name, length)));
		printf("send without a right to write: %s\n", error_of(sendto(two, "x", 1, 0, (void *)&name, length)));
		name_of(&name, "mine", 0);
		printf("bind without a right to the folder: %s\n", error_of(bind(two, (void *)&name, 7)));
		fflush(stdout);
		_exit(0);
	}
	wait(0);
	chmod("made", 0777);
	if (fork() == 0) {
		setgid(1000);
		setuid(1000);
		int two = socket(AF_UNIX, SOCK_DGRAM, 0);
		printf("connect with the right: %s\n", error_of(connect(two, (void *)&name, length)));
		fflush(stdout);
		_exit(0);
	}
	wait(0);
	unlink("made");
	unlink("plain");
	close(one);
	chdir(folder);
	rmdir("sockets");
}

static void transfers(void)
{
	for (int type = 0; type < 3; type++) {
		int pair[2];
		char text[64] = { 0 };
		socketpair(AF_UNIX, types[type], 0, pair);
		say_events("fresh", pair[0]);
		say_type(type, "write", write(pair[0], "hello", 5));
		say_type(type, "write", write(pair[0], "world!", 6));
		int waiting = -1;
		say_type(type, "FIONREAD", ioctl(pair[1], FIONREAD, &waiting));
		printf("%d bytes\n", waiting);
		say_type(type, "SIOCOUTQ", ioctl(pair[0], SIOCOUTQ, &waiting));
		printf("some on the way: %d\n", waiting > 0);
		say_events("filled", pair[1]);
		say_type(type, "peek", recv(pair[1], text, 3, MSG_PEEK));
		say_type(type, "peek all", recv(pair[1], text, 63, MSG_PEEK));
		say_type(type, "length", recv(pair[1], text, 2, MSG_PEEK | MSG_TRUNC));
		say_type(type, "read", read(pair[1], text, 3));
		printf("%.3s\n", text);
		say_type(type, "read rest", recv(pair[1], text, 63, MSG_DONTWAIT));
		printf("%.11s\n", text);
		say_type(type, "read more", recv(pair[1], text, 63, MSG_DONTWAIT));
		say_type(type, "empty message", send(pair[0], "", 0, 0));
		say_type(type, "receive it", recv(pair[1], text, 63, MSG_DONTWAIT));
		say_type(type, "unknown flag", send(pair[0], "x", 1, 0x40000));
		say_type(type, "all flags", send(pair[0], "x", 1, MSG_DONTROUTE | MSG_EOR | MSG_MORE | MSG_CONFIRM | MSG_DONTWAIT));
		say_type(type, "receive", recv(pair[1], text, 63, MSG_DONTWAIT));
		say_type(type, "receive", recv(pair[1], text, 63, MSG_DONTWAIT));
		say_type(type, "error queue", recv(pair[1], text, 63, MSG_DONTWAIT | MSG_ERRQUEUE) < 0 ? -1 : 0);
		say_type(type, "bad address", send(pair[0], (void *)8, 1, 0));
		/* A message of a buffer far from the end of the addresses, where its place would decide between two errors; a stream, which
		   takes what can be read, of one with little behind it. */
		static char few[8];
		say_type(type, "bad length", send(pair[0], types[type] == SOCK_STREAM ? text : few, -1, 0));
		struct sockaddr_un name;
		socklen_t length = name_of(&name, "nobody-is-here", 1);
		say_type(type, "send to an address", sendto(pair[0], "x", 1, 0, (void *)&name, length));
		recv(pair[1], text, 63, MSG_DONTWAIT);
		struct iovec parts[3] = { { "ab", 2 }, { "", 0 }, { "cde", 3 } };
		say_type(type, "writev", writev(pair[0], parts, 3));
		char a[2], b[8];
		struct iovec rooms[2] = { { a, 2 }, { b, 8 } };
		say_type(type, "readv", readv(pair[1], rooms, 2));
		printf("%.2s %.3s\n", a, b);
		send(pair[0], "123456789", 9, 0);
		struct msghdr header = { .msg_iov = rooms, .msg_iovlen = 1, .msg_flags = 0x77, .msg_name = text, .msg_namelen = 60 };
		say_type(type, "recvmsg", recvmsg(pair[1], &header, 0));
		printf("flags %x name %u control %zu\n", header.msg_flags, header.msg_namelen, header.msg_controllen);
		header.msg_iovlen = 1025;
		say_type(type, "too many parts", recvmsg(pair[1], &header, MSG_DONTWAIT));
		say_type(type, "too many parts", sendmsg(pair[1], &header, MSG_DONTWAIT));
		header.msg_iovlen = 0;
		header.msg_namelen = -1;
		say_type(type, "negative name", recvmsg(pair[1], &header, MSG_DONTWAIT));
		say_type(type, "negative name", sendmsg(pair[1], &header, MSG_DONTWAIT));
		while (recv(pair[1], text, 63, MSG_DONTWAIT) > 0);
		struct mmsghdr many[4] = { 0 };
		for (int i = 0; i < 4; i++) {
			many[i].msg_hdr.msg_iov = &parts[i % 2 * 2];
			many[i].msg_hdr.msg_iovlen = 1;
		}
		say_type(type, "sendmmsg", sendmmsg(pair[0], many, 4, 0));
		printf("%u %u %u %u\n", many[0].msg_len, many[1].msg_len, many[2].msg_len, many[3].msg_len);
		struct iovec wide = { text, 4 };
		for (int i = 0; i < 4; i++) {
			many[i].msg_hdr.msg_iov = &wide;
			many[i].msg_len = 0;
		}
		say_type(type, "recvmmsg", recvmmsg(pair[1], many, 3, MSG_WAITFORONE, 0));
		printf("%u %u %u\n", many[0].msg_len, many[1].msg_len, many[2].msg_len);
		say_type(type, "recvmmsg", recvmmsg(pair[1], many, 4, MSG_DONTWAIT, 0));
		say_type(type, "recvmmsg", recvmmsg(pair[1], many, 4, MSG_DONTWAIT, 0));
		say_type(type, "sendmmsg of none", sendmmsg(pair[1], many, 0, 0));
		close(pair[0]);
		close(pair[1]);
	}
}

static int broken_pipes;

static void on_broken(int signal)
{
	broken_pipes++;
}

static void ends(void)
{
	signal(SIGPIPE, on_broken);
	for (int type = 0; type < 3; type++)
		for (int how = 0; how < 5; how++) {
			int pair[2];
			char text[16];
			socketpair(AF_UNIX, types[type] | SOCK_NONBLOCK, 0, pair);
			printf("%s end %d\n", names[type], how);
			send(pair[0], "ab", 2, 0);
			if (how == 4)
				send(pair[1], "unread", 6, 0);
			if (how < 3)
				say_type(type, "shutdown", shutdown(pair[0], how));
			else
				close(pair[0]);
			say_events("events of the other", pair[1]);
			if (how < 3)
				say_events("events", pair[0]);
			broken_pipes = 0;
			say_type(type, "write", write(pair[1], "x", 1));
			say_type(type, "send", send(pair[1], "x", 1, MSG_NOSIGNAL));
			printf("signals %d\n", broken_pipes);
			say_type(type, "read", read(pair[1], text, 16));
			say_type(type, "read", read(pair[1], text, 16));
			printf("error %ld\n", option(pair[1], SOL_SOCKET, SO_ERROR));
			say_type(type, "read", read(pair[1], text, 16));
			if (how < 3) {
				broken_pipes = 0;
				say_type(type, "own write", write(pair[0], "x", 1));
				say_type(type, "own read", read(pair[0], text, 16));
				printf("signals %d\n", broken_pipes);
				close(pair[0]);
			}
			say_name("peer", pair[1], 1);
			say_events("events at last", pair[1]);
			close(pair[1]);
		}
	signal(SIGPIPE, SIG_DFL);
}

static void options(void)
{
	static const int numbers[] = { SO_DEBUG, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_DONTROUTE, SO_BROADCAST, SO_SNDBUF, SO_RCVBUF,
		SO_KEEPALIVE, SO_OOBINLINE,
		SO_PRIORITY, SO_REUSEPORT, SO_PASSCRED, SO_RCVLOWAT, SO_SNDLOWAT, SO_TIMESTAMP, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN, SO_MARK, 999 };
	for (int type = 0; type < 3; type++) {
		int one = socket(AF_UNIX, types[type], 0);
		for (int i = 0; i < 21; i++) {
			int value = 1;
			printf("%s option %d: %s", names[type], numbers[i], result(option(one, SOL_SOCKET, numbers[i])));
			if (numbers[i] != SO_REUSEPORT)
				printf(" %s", error_of(setsockopt(one, SOL_SOCKET, numbers[i], &value, sizeof value)));
			printf(" %s", result(option(one, SOL_SOCKET, numbers[i])));
			printf(" %s\n", error_of(setsockopt(one, SOL_SOCKET, numbers[i], &value, 3)));
		}
		int size = 100000;
		setsockopt(one, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
		printf("buffer %ld\n", option(one, SOL_SOCKET, SO_SNDBUF));
		struct timeval time = { 1, 500000 }, got = { 0 };
		say_type(type, "timeout", setsockopt(one, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
		socklen_t length = sizeof got;
		getsockopt(one, SOL_SOCKET, SO_RCVTIMEO, &got, &length);
		printf("%ld.%06ld %u\n", (long)got.tv_sec, (long)got.tv_usec, length);
		time.tv_usec = 1000000;
		say_type(type, "timeout", setsockopt(one, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
		say_type(type, "timeout", setsockopt(one, SOL_SOCKET, SO_SNDTIMEO, &time, 8));
		struct linger linger = { 1, 7 };
		say_type(type, "linger", setsockopt(one, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
		memset(&linger, 0, sizeof linger);
		length = sizeof linger;
		getsockopt(one, SOL_SOCKET, SO_LINGER, &linger, &length);
		printf("%d %d\n", linger.l_onoff, linger.l_linger);
		char small[4];
		length = 1;
		say_type(type, "little room", getsockopt(one, SOL_SOCKET, SO_TYPE, small, &length));
		printf("%u\n", length);
		length = -1;
		say_type(type, "negative room", getsockopt(one, SOL_SOCKET, SO_TYPE, small, &length));
		say_type(type, "another level", setsockopt(one, 6, 1, small, 4));
		say_type(type, "another level", option(one, 6, 1));
		say_type(type, "unknown ioctl", ioctl(one, 0x5499, small));
		int on = 1;
		say_type(type, "FIONBIO", ioctl(one, FIONBIO, &on));
		printf("flags %x\n", fcntl(one, F_GETFL));
		close(one);
	}
}

static long send_files(int socket, const int *files, int count, const char *text, size_t length)
{
	union { struct cmsghdr header; char bytes[CMSG_SPACE(300 * sizeof(int))]; } room = { 0 };
	struct iovec data = { (void *)text, length };
	struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	room.header.cmsg_level = SOL_SOCKET;
	room.header.cmsg_type = SCM_RIGHTS;
	room.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&room.header), files, count * sizeof(int));
	return sendmsg(socket, &header, 0);
}

static long receive_files(int socket, int *files, int *count, size_t control, int flags, int *returned)
{
	union { struct cmsghdr header; char bytes[CMSG_SPACE(300 * sizeof(int))]; } room = { 0 };
	char text[64];
	struct iovec data = { text, sizeof text };
	struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = control };
	long got = recvmsg(socket, &header, flags);
	*count = 0;
	*returned = header.msg_flags;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); got >= 0 && c; c = CMSG_NXTHDR(&header, c))
		if (c->cmsg_type == SCM_RIGHTS) {
			*count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(files, CMSG_DATA(c), *count * sizeof(int));
		}
	return got;
}

static void passing(void)
{
	for (int type = 0; type < 3; type++) {
		int pair[2], pipes[2], got[300], count, flags, files[300];
		char text[8];
		socketpair(AF_UNIX, types[type], 0, pair);
		pipe(pipes);
		say_type(type, "send a pipe", send_files(pair[0], pipes, 2, "xy", 2));
		say_type(type, "peek at it", receive_files(pair[1], got, &count, CMSG_SPACE(64), MSG_PEEK, &flags));
		printf("%d files, flags %x\n", count, flags);
		close(got[0]);
		close(got[1]);
		say_type(type, "receive it", receive_files(pair[1], got, &count, CMSG_SPACE(64), MSG_CMSG_CLOEXEC, &flags));
		printf("%d files, flags %x, close-on-exec %d\n", count, flags, fcntl(got[0], F_GETFD));
		close(pipes[0]);
		close(pipes[1]);
		write(got[1], "through", 7);
		printf("%zd\n", read(got[0], text, 8));
		close(got[1]);
		printf("end: %zd\n", read(got[0], text, 8));
		close(got[0]);
		pipe(pipes);
		for (size_t room = 0; room < CMSG_SPACE(12) + 8; room += 4) {
			send_files(pair[0], (int[]) { pipes[0], pipes[1], pipes[0] }, 3, "x", 1);
			long length = receive_files(pair[1], got, &count, room, 0, &flags);
			printf("%s room %zu: %ld, %d files, flags %x\n", names[type], room, length, count, flags);
			for (int i = 0; i < count; i++)
				close(got[i]);
		}
		send_files(pair[0], pipes, 1, "x", 1);
		printf("read loses them: %zd\n", read(pair[1], text, 8));
		files[0] = 777;
		say_type(type, "bad descriptor", send_files(pair[0], files, 1, "x", 1));
		for (int i = 0; i < 300; i++)
			files[i] = pipes[0];
		say_type(type, "253 files", send_files(pair[0], files, 253, "x", 1));
		say_type(type, "receive them", receive_files(pair[1], got, &count, CMSG_SPACE(1200), 0, &flags));
		printf("%d files, flags %x\n", count, flags);
		for (int i = 0; i < count; i++)
			close(got[i]);
		say_type(type, "254 files", send_files(pair[0], files, 254, "x", 1));
		say_type(type, "no bytes", send_files(pair[0], files, 1, "", 0));
		say_type(type, "nothing to receive", receive_files(pair[1], got, &count, CMSG_SPACE(64), MSG_DONTWAIT, &flags));
		printf("%d files\n", count);
		if (count)
			close(got[0]);
		if (type == 0) {
			write(pair[0], "before", 6);
			send_files(pair[0], pipes, 1, "with", 4);
			write(pair[0], "after", 5);
			for (int i = 0; i < 3; i++) {
				long length = receive_files(pair[1], got, &count, CMSG_SPACE(64), MSG_DONTWAIT, &flags);
				printf("piece of %ld with %d files\n", length, count);
				if (count)
					close(got[0]);
			}
		}
		/* A socket that is sent over itself, with the end of a pipe behind it. */
		send_files(pair[0], (int[]) { pair[1], pipes[1] }, 2, "x", 1);
		send_files(pair[1], (int[]) { pair[0] }, 1, "x", 1);
		close(pipes[1]);
		close(pair[0]);
		close(pair[1]);
		int other[2];
		socketpair(AF_UNIX, SOCK_STREAM, 0, other);
		close(other[0]);
		close(other[1]);
		fcntl(pipes[0], F_SETFL, O_NONBLOCK);
		struct pollfd wanted = { pipes[0], POLLIN, 0 };
		poll(&wanted, 1, 5000);
		printf("unreachable: %s\n", result(read(pipes[0], text, 1)));
		close(pipes[0]);
	}
	int pair[2], got[4], count, flags;
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	/* A chain of sockets in sockets ends as a whole. */
	int pipes[2];
	pipe(pipes);
	int inner = pipes[1];
	for (int i = 0; i < 200; i++) {
		int next[2];
		socketpair(AF_UNIX, SOCK_STREAM, 0, next);
		send_files(next[0], &inner, 1, "x", 1);
		close(next[0]);
		close(inner);
		inner = next[1];
	}
	close(inner);
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	struct pollfd wanted = { pipes[0], POLLIN, 0 };
	poll(&wanted, 1, 5000);
	printf("chain: %s\n", result(read(pipes[0], &count, 1)));
	close(pipes[0]);
	close(pair[0]);
	close(pair[1]);
}

static void identities(void)
{
	for (int type = 0; type < 3; type++) {
		int pair[2], on = 1;
		socketpair(AF_UNIX, types[type], 0, pair);
		struct ucred peer;
		socklen_t length = sizeof peer;
		say_type(type, "peer", getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
		printf("%d %u %u\n", peer.pid == getpid(), peer.uid, peer.gid);
		write(pair[0], "early", 5);
		setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
		write(pair[0], "late", 4);
		fflush(stdout);
		if (fork() == 0) {
			write(pair[0], "child", 5);
			_exit(0);
		}
		wait(0);
		for (int i = 0; i < 3; i++) {
			union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(struct ucred))]; } room = { 0 };
			char text[64];
			struct iovec data = { text, sizeof text };
			struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof room };
			long got = recvmsg(pair[1], &header, MSG_DONTWAIT);
			struct ucred *sender = (void *)CMSG_DATA(&room.header);
			printf("%s got %ld flags %x: %d %d %s %u\n", names[type], got, header.msg_flags, room.header.cmsg_level, room.header.cmsg_type,
				sender->pid == getpid() ? "self" : sender->pid == 0 ? "nobody" : "another", sender->uid);
		}
		struct { int pid_change, uid_change; size_t length; } tries[] = { { 0, 0, 12 }, { 1, 0, 12 }, { 0, 0, 8 }, { 0, 5, 12 } };
		for (int i = 0; i < 4; i++) {
			union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(struct ucred))]; } room = { 0 };
			struct iovec data = { "x", 1 };
			struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof room };
			room.header.cmsg_level = SOL_SOCKET;
			room.header.cmsg_type = SCM_CREDENTIALS;
			room.header.cmsg_len = CMSG_LEN(tries[i].length);
			struct ucred said = { tries[i].pid_change ? 999999 : getpid(), getuid() + tries[i].uid_change, getgid() };
			memcpy(CMSG_DATA(&room.header), &said, sizeof said);
			printf("%s identity %d: %s\n", names[type], i, error_of(sendmsg(pair[0], &header, MSG_DONTWAIT)));
		}
		close(pair[0]);
		close(pair[1]);
	}
	/* Control messages that are none. */
	int pair[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	struct { size_t length; int level, type; size_t total; } wrong[] = { { 0, 1, 1, 32 }, { 15, 1, 1, 32 }, { 16, 1, 1, 32 }, { 100, 1, 1,
		32 }, { 20, 1, 99, 32 }, { 20, 99, 1, 32 },
		{ 20, 1, 1, 8 }, { 20, 1, 1, 1 << 20 } };
	for (int i = 0; i < 8; i++) {
		char *room = calloc(1, 1 << 20);
		struct cmsghdr *first = (void *)room;
		*first = (struct cmsghdr) { wrong[i].length, wrong[i].level, wrong[i].type };
		struct iovec data = { "x", 1 };
		struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = wrong[i].total };
		printf("control %d: %s\n", i, result(sendmsg(pair[0], &header, MSG_DONTWAIT)));
		free(room);
	}
	close(pair[0]);
	close(pair[1]);
}

static void *write_later(void *argument)
{
	usleep(50000);
	write(*(int *)argument, "later", 5);
	return 0;
}

static void *close_later(void *argument)
{
	usleep(50000);
	shutdown(*(int *)argument, SHUT_RDWR);
	return 0;
}

static int interrupted;

static void on_alarm(int signal)
{
	interrupted++;
}

static void waits(void)
{
	for (int type = 0; type < 3; type++) {
		int pair[2];
		char text[64];
		pthread_t thread;
		socketpair(AF_UNIX, types[type], 0, pair);
		pthread_create(&thread, 0, write_later, &pair[0]);
		say_type(type, "blocking read", read(pair[1], text, 64));
		pthread_join(thread, 0);
		pthread_create(&thread, 0, close_later, &pair[0]);
		say_type(type, "read until shutdown", type == 1 ? 0 : read(pair[1], text, 64));
		pthread_join(thread, 0);
		close(pair[0]);
		close(pair[1]);
		socketpair(AF_UNIX, types[type], 0, pair);
		struct timeval time = { 0, 20000 };
		setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
		setsockopt(pair[1], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
		say_type(type, "read with a time-out", read(pair[1], text, 64));
		long sent;
		do
			sent = send(pair[1], text, 64, MSG_NOSIGNAL);
		while (sent == 64);
		say_type(type, "write with a time-out", sent);
		say_events("full", pair[1]);
		long taken = 0;
		while ((sent = recv(pair[0], text, 64, MSG_DONTWAIT)) > 0)
			taken += sent;
		printf("taken some: %d\n", taken > 64);
		say_events("emptied", pair[1]);
		for (int restarts = 0; restarts < 2; restarts++) {
			struct sigaction action = { .sa_handler = on_alarm, .sa_flags = restarts ? SA_RESTART : 0 };
			sigaction(SIGALRM, &action, 0);
			/* Again and again: the first one may come before the read waits. */
			struct itimerval timer = { { 0, 20000 }, { 0, 20000 } }, off = { 0 };
			interrupted = 0;
			time.tv_usec = 0;
			time.tv_sec = 30;
			setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
			setitimer(ITIMER_REAL, &timer, 0);
			say_type(type, "read with a time-out and a signal", read(pair[1], text, 64));
			if (!restarts)
				say_type(type, "read with a signal", read(pair[0], text, 64));
			setitimer(ITIMER_REAL, &off, 0);
			printf("signals: %d\n", interrupted > !restarts);
		}
		if (type == 0) {
			pthread_create(&thread, 0, write_later, &pair[0]);
			say_type(type, "half", send(pair[0], "first", 5, 0));
			say_type(type, "wait for all", recv(pair[1], text, 10, MSG_WAITALL));
			pthread_join(thread, 0);
		}
		close(pair[0]);
		close(pair[1]);
	}
	/* The backlog. */
	struct sockaddr_un name;
	socklen_t length = name_of(&name, "backlog-of-one", 1);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), clients[6];
	bind(listener, (void *)&name, length);
	listen(listener, 1);
	printf("accepts: %ld\n", option(listener, SOL_SOCKET, SO_ACCEPTCONN));
	for (int i = 0; i < 6; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		printf("client %d: %s\n", i, error_of(connect(clients[i], (void *)&name, length)));
	}
	struct timeval time = { 0, 20000 };
	int late = socket(AF_UNIX, SOCK_STREAM, 0);
	setsockopt(late, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
	printf("client with a time-out: %s\n", error_of(connect(late, (void *)&name, length)));
	say_events("listener", listener);
	write(clients[0], "early", 5);
	int accepted = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
	printf("accepted with %x %x\n", fcntl(accepted, F_GETFD), fcntl(accepted, F_GETFL));
	char text[16];
	printf("what came before: %zd\n", read(accepted, text, 16));
	printf("wrong flags: %s\n", error_of(accept4(listener, 0, 0, 1)));
	printf("shutdown of a listener: %s\n", error_of(shutdown(listener, SHUT_RD)));
	printf("connect: %s\n", error_of(connect(late, (void *)&name, length)));
	printf("accept: %s\n", done(accept(listener, 0, 0)));
	printf("FIONREAD: %s\n", error_of(ioctl(listener, FIONREAD, &late)));
	close(listener);
	say_events("client that nobody accepted", clients[1]);
	printf("its error: %ld\n", option(clients[1], SOL_SOCKET, SO_ERROR));
	printf("its read: %s\n", result(read(clients[1], text, 16)));
}

static void datagrams(void)
{
	struct sockaddr_un server, client;
	char text[64];
	socklen_t server_length = name_of(&server, "datagram-server", 1), client_length = name_of(&client, "datagram-client", 1);
	int one = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), two = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), three = socket(AF_UNIX,
		SOCK_DGRAM | SOCK_NONBLOCK, 0);
	bind(one, (void *)&server, server_length);
	printf("send from no name: %s\n", result(sendto(two, "a", 1, 0, (void *)&server, server_length)));
	struct sockaddr_un from = { 0 };
	socklen_t length = sizeof from;
	printf("receive: %s", result(recvfrom(one, text, 64, 0, (void *)&from, &length)));
	printf(" from %u\n", length);
	bind(two, (void *)&client, client_length);
	sendto(two, "ab", 2, 0, (void *)&server, server_length);
	length = sizeof from;
	printf("receive: %s", result(recvfrom(one, text, 64, 0, (void *)&from, &length)));
	printf(" from %u %.15s\n", length, from.sun_path + 1);
	printf("answer: %s\n", result(sendto(one, "abc", 3, 0, (void *)&from, length)));
	printf("receive: %s\n", result(recv(two, text, 64, 0)));
	printf("connect: %s\n", error_of(connect(two, (void *)&server, server_length)));
	printf("connect of the server: %s\n", error_of(connect(one, (void *)&client, client_length)));
	printf("a third one: %s\n", error_of(connect(three, (void *)&server, server_length)));
	printf("a third one: %s\n", result(sendto(three, "x", 1, 0, (void *)&server, server_length)));
	int sent = 0;
	while (send(two, "x", 1, 0) == 1)
		sent++;
	printf("full: %s, %d\n", strerrorname_np(errno), sent > 10);
	say_events("full", two);
	printf("disconnect: %s\n", error_of(connect(one, (struct sockaddr *)&(struct sockaddr) { AF_UNSPEC }, 2)));
	printf("error of the other: %ld\n", option(two, SOL_SOCKET, SO_ERROR));
	printf("what had come: %s\n", result(recv(one, text, 64, 0)));
	sent = 0;
	while (send(two, "x", 1, 0) == 1)
		sent++;
	printf("one way: %s, %d\n", strerrorname_np(errno), sent);
	say_events("one way", two);
	int set = epoll_create1(0);
	struct epoll_event event = { EPOLLOUT | EPOLLET };
	epoll_ctl(set, EPOLL_CTL_ADD, two, &event);
	printf("epoll: %d", epoll_wait(set, &event, 1, 0));
	recv(one, text, 1, 0);
	printf(" %d", epoll_wait(set, &event, 1, 0));
	printf(" %d\n", epoll_wait(set, &event, 1, 0));
	close(one);
	say_events("server gone", two);
	printf("send: %s\n", result(send(two, "x", 1, 0)));
	printf("send again: %s\n", result(send(two, "x", 1, 0)));
	say_name("peer", two, 1);
	int size = 5000;
	char *large = calloc(1, 300000);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, (int[2]) { 0 });
	int pair[2];
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	printf("large: %s", result(send(pair[0], large, 300000, MSG_DONTWAIT)));
	printf(" %s", result(send(pair[0], large, 200000, MSG_DONTWAIT)));
	printf(" %s\n", result(recv(pair[1], large, 300000, 0)));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	printf("small buffer: %s", result(send(pair[0], large, 9968, MSG_DONTWAIT)));
	printf(" %s\n", result(send(pair[0], large, 9969, MSG_DONTWAIT)));
}

static void edges(void)
{
	int pair[2], set = epoll_create1(0);
	char text[8];
	struct epoll_event event = { EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, { .u64 = 1 } };
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event);
	for (int step = 0; step < 6; step++) {
		if (step == 1)
			write(pair[1], "abc", 3);
		if (step == 3)
			read(pair[0], text, 1);
		if (step == 4)
			write(pair[1], "d", 1);
		if (step == 5)
			close(pair[1]);
		event.events = 0;
		printf("edge %d: %d", step, epoll_wait(set, &event, 1, 0));
		printf(" %x\n", event.events);
	}
}

int main(int count, char **arguments)
{
	setbuf(stdout, 0);
	/* The numbers of descriptors are compared, too: what whoever started this has left open would be between them. */
	close_range(3, ~0U, 0);
	struct { const char *name; void (*run)(void); } parts[] = { { "creation", creation }, { "wrong descriptors", wrong_descriptors },
		{ "unconnected", unconnected },
		{ "addresses", addresses }, { "transfers", transfers }, { "ends", ends }, { "options", options }, { "passing", passing },
			{ "identities", identities },
		{ "waits", waits }, { "datagrams", datagrams }, { "edges", edges } };
	for (int i = 0; i < 12; i++) {
		printf("-- %s\n", parts[i].name);
		parts[i].run();
	}
	printf("-- paths\n");
	paths(arguments[1] ? arguments[1] : "/");
	return 0;
}
