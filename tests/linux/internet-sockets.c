/*
 * internet-sockets: TCP, UDP and ping sockets over the loopback interface, IPv4 and IPv6: connections, ends, waits, options,
 * errors, control messages (tcp(7), udp(7), ip(7), ipv6(7)). Prints one line per finding, the same on any Linux host and on a rack.
 *
 * gcc -O2 -static -pthread -w -o internet-sockets internet-sockets.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>

#include "results.h"

static int version;

static socklen_t address_of(struct sockaddr_storage *to, const char *host, int port)
{
	memset(to, 0, sizeof *to);
	if (version == 4) {
		struct sockaddr_in *in = (void *)to;
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		inet_pton(AF_INET, host ? host : "127.0.0.1", &in->sin_addr);
		return sizeof *in;
	}
	struct sockaddr_in6 *in = (void *)to;
	in->sin6_family = AF_INET6;
	in->sin6_port = htons(port);
	inet_pton(AF_INET6, host ? host : "::1", &in->sin6_addr);
	return sizeof *in;
}

static int family(void)
{
	return version == 4 ? AF_INET : AF_INET6;
}

static void say_result(const char *what, long value)
{
	printf("%d %s: %s\n", version, what, result(value));
}

static void say_events(const char *what, int socket)
{
	struct pollfd wanted = { socket, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0 };
	int count = poll(&wanted, 1, 0);
	printf("%d %s: %d %x\n", version, what, count, wanted.revents);
}

/* Waits until some of the events are there. */
static void await(int socket, short events)
{
	struct pollfd wanted = { socket, events, 0 };
	poll(&wanted, 1, 5000);
}

static void say_name(const char *what, int socket, int of_peer)
{
	struct sockaddr_storage name = { 0 };
	socklen_t length = sizeof name;
	char text[64] = "";
	int got = of_peer ? getpeername(socket, (void *)&name, &length) : getsockname(socket, (void *)&name, &length);
	if (got < 0) {
		printf("%d %s: %s\n", version, what, strerrorname_np(errno));
		return;
	}
	inet_ntop(name.ss_family,
		name.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&name)->sin_addr : (void *)&((struct sockaddr_in6 *)&name)->sin6_addr,
		text, sizeof text);
	printf("%d %s: family %d length %u %s, a port %d\n", version, what, name.ss_family, length, text,
		((struct sockaddr_in *)&name)->sin_port != 0);
}

static long option(int socket, int level, int number)
{
	int value = -1;
	socklen_t length = sizeof value;
	return getsockopt(socket, level, number, &value, &length) < 0 ? -1 : value;
}

static int port_of(int socket)
{
	struct sockaddr_storage name;
	socklen_t length = sizeof name;
	getsockname(socket, (void *)&name, &length);
	return ntohs(((struct sockaddr_in *)&name)->sin_port);
}

static int listener(int backlog)
{
	struct sockaddr_storage name;
	socklen_t length = address_of(&name, 0, 0);
	int made = socket(family(), SOCK_STREAM, 0);
	if (bind(made, (void *)&name, length) < 0 || listen(made, backlog) < 0)
		printf("listener: %s\n", strerrorname_np(errno));
	return made;
}

static void joined(int pair[2])
{
	struct sockaddr_storage name;
	int server = listener(5);
	socklen_t length = address_of(&name, 0, port_of(server));
	pair[0] = socket(family(), SOCK_STREAM, 0);
	if (connect(pair[0], (void *)&name, length) < 0)
		printf("connect: %s\n", strerrorname_np(errno));
	pair[1] = accept(server, 0, 0);
	close(server);
}

static void creation(void)
{
	static const int kinds[][2] = { { 1, 0 }, { 1, 6 }, { 1, 17 }, { 1, 132 }, { 1, -1 }, { 1, 256 }, { 2, 0 }, { 2, 17 }, { 2, 6 }, { 2,
		1 }, { 2, 58 }, { 3, 0 }, { 3, 1 }, { 3, 58 }, { 3, 255 }, { 4, 0 }, { 5, 0 }, { 6, 0 } };
	for (int i = 0; i < 18; i++) {
		/* Ping sockets are for the groups that a setting of the host names. */
		if (i == 3 || i == 5 || i == 9 || i == 10 || i >= 15)
			continue;
		int made = socket(family(), kinds[i][0], kinds[i][1]);
		printf("%d type %d protocol %d: %s\n", version, kinds[i][0], kinds[i][1], done(made));
		if (made >= 0)
			printf("  %s %s %s\n", result(option(made, SOL_SOCKET, SO_TYPE)), result(option(made, SOL_SOCKET, SO_PROTOCOL)), result(option(made,
				SOL_SOCKET, SO_DOMAIN)));
		close(made);
	}
	int pair[2];
	say_result("pair", socketpair(family(), SOCK_STREAM, 0, pair));
}

static void unconnected(void)
{
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		int one = socket(family(), type | SOCK_NONBLOCK, 0);
		char text[8];
		printf("%d type %d\n", version, type);
		say_name("name", one, 0);
		say_name("peer", one, 1);
		say_events("events", one);
		say_result("send", send(one, "x", 1, MSG_NOSIGNAL));
		say_result("receive", recv(one, text, 8, 0));
		say_result("accept", accept(one, 0, 0));
		for (int how = -1; how < 4; how++)
			say_result("shutdown", shutdown(one, how));
		say_events("events", one);
		struct sockaddr_storage name = { 0 };
		for (int length = 0; length < 30; length += 3)
			printf("%d bind of %d bytes: %s\n", version, length, error_of(bind(one, (void *)&name, length)));
		socklen_t length = address_of(&name, 0, 0);
		name.ss_family = 77;
		say_result("bind of a wrong family", bind(one, (void *)&name, length));
		say_result("connect of a wrong family", connect(one, (void *)&name, length));
		length = address_of(&name, version == 4 ? "192.0.2.7" : "2001:db8::7", 0);
		if (version == 4 || type == SOCK_STREAM)
			say_result("bind of another's address", bind(one, (void *)&name, length));
		length = address_of(&name, 0, 0);
		say_result("bind", bind(one, (void *)&name, length));
		say_name("name", one, 0);
		say_result("bind again", bind(one, (void *)&name, length));
		int two = socket(family(), type, 0);
		length = address_of(&name, 0, port_of(one));
		say_result("the same port", bind(two, (void *)&name, length));
		close(two);
		close(one);
	}
}

static void connections(void)
{
	struct sockaddr_storage name;
	int server = listener(5);
	int port = port_of(server);
	socklen_t length = address_of(&name, 0, port);
	say_events("listener", server);
	say_result("accepts", option(server, SOL_SOCKET, SO_ACCEPTCONN));
	int client = socket(family(), SOCK_STREAM | SOCK_NONBLOCK, 0);
	printf("%d connect: %s\n", version,
			error_of(connect(client, (void *)&name, length)));
	await(client, POLLOUT);
	say_result("error", option(client, SOL_SOCKET, SO_ERROR));
	say_result("connect again", connect(client, (void *)&name, length));
	say_result("and again", connect(client, (void *)&name, length));
	await(server, POLLIN);
	say_events("listener", server);
	struct sockaddr_storage from;
	length = sizeof from;
	int accepted = accept4(server, (void *)&from, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
	printf("%d accepted: %s length %u family %d, the client %d, flags %x %x\n", version, done(accepted), length, from.ss_family,
		ntohs(((struct sockaddr_in *)&from)->sin_port) == port_of(client),
		fcntl(accepted, F_GETFD), fcntl(accepted, F_GETFL));
	fcntl(server, F_SETFL, O_NONBLOCK);
	say_result("accept of none", accept(server, 0, 0));
	say_name("client", client, 0);
	say_name("client's peer", client, 1);
	say_name("accepted", accepted, 0);
	say_events("client", client);
	close(server);
	server = socket(family(), SOCK_STREAM, 0);
	length = address_of(&name, 0, port);
	int refused = socket(family(), SOCK_STREAM, 0);
	say_result("connect to nobody", connect(refused, (void *)&name, length));
	say_result("its error", option(refused, SOL_SOCKET, SO_ERROR));
	int again = socket(family(), SOCK_STREAM | SOCK_NONBLOCK, 0);
	printf("%d without waiting: %s\n", version,
			error_of(connect(again, (void *)&name, length)));
	await(again, POLLOUT);
	say_events("refused", again);
	say_result("its error", option(again, SOL_SOCKET, SO_ERROR));
	say_result("its error is taken", option(again, SOL_SOCKET, SO_ERROR));
	close(again);
	close(refused);
	close(server);
	close(client);
	close(accepted);
	server = socket(family(), SOCK_STREAM, 0);
	printf("%d listen without a name: %s\n", version, error_of(listen(server, 1)));
	say_name("name", server, 0);
	printf("%d connect of a listener: %s\n", version,
			error_of(connect(server, (void *)&name, length)));
	say_result("shutdown of a listener", shutdown(server, SHUT_RD));
	fcntl(server, F_SETFL, O_NONBLOCK);
	say_result("accept then", accept(server, 0, 0));
	close(server);
}

static void transfers(void)
{
	int pair[2], waiting;
	char text[64];
	joined(pair);
	say_result("write", write(pair[0], "hello", 5));
	say_result("write", write(pair[0], " world", 6));
	await(pair[1], POLLIN);
	usleep(20000);
	ioctl(pair[1], FIONREAD, &waiting);
	say_result("FIONREAD", waiting);
	say_result("peek", recv(pair[1], text, 4, MSG_PEEK));
	say_result("peek", recv(pair[1], text, 64, MSG_PEEK));
	say_result("read", read(pair[1], text, 4));
	say_result("read", recv(pair[1], text, 64, MSG_DONTWAIT));
	say_result("read", recv(pair[1], text, 64, MSG_DONTWAIT));
	say_result("read nothing", recv(pair[1], text, 0, MSG_DONTWAIT));
	say_result("truncate", send(pair[0], "abcdef", 6, 0));
	await(pair[1], POLLIN);
	say_result("away", recv(pair[1], 0, 3, MSG_TRUNC));
	say_result("rest", recv(pair[1], text, 64, MSG_DONTWAIT));
	say_result("send to an address", sendto(pair[0], "x", 1, 0, (void *)text, 16) < 0 ? -1 : 1);
	await(pair[1], POLLIN);
	struct sockaddr_storage from = { 0 };
	socklen_t length = sizeof from;
	say_result("receive", recvfrom(pair[1], text, 64, 0, (void *)&from, &length));
	printf("from %u bytes\n", length);
	say_result("bad address", send(pair[0], (void *)8, 1, 0));
	send(pair[0], "half", 4, 0);
	struct timeval time = { 0, 20000 };
	setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
	say_result("wait for all with a time-out", recv(pair[1], text, 10, MSG_WAITALL));
	say_result("read with a time-out", recv(pair[1], text, 10, 0));
	/* Much, both ways, with a digest. */
	enum { size = 3 << 20 };
	fflush(stdout);
	if (fork() == 0) {
		char *bytes = malloc(size);
		for (int i = 0; i < size; i++)
			bytes[i] = i * 7 + i / 251;
		for (int sent = 0; sent < size;)
			sent += write(pair[0], bytes + sent, size - sent < 70001 ? size - sent : 70001);
		int got = 0;
		unsigned sum = 0;
		for (int n; (n = read(pair[0], bytes, 50000)) > 0; got += n)
			for (int i = 0; i < n; i++)
				sum = sum * 31 + (unsigned char)bytes[i];
		printf("%d back: %d %u\n", version, got, sum);
		fflush(stdout);
		_exit(0);
	}
	close(pair[0]);
	time.tv_usec = 0;
	setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
	char *bytes = malloc(size);
	int got = 0;
	unsigned sum = 0;
	for (int n; got < size && (n = read(pair[1], bytes + got, size - got)) > 0; got += n)
		for (int i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)bytes[got + i];
	printf("%d there: %d %u\n", version, got, sum);
	fflush(stdout);
	for (int sent = 0; sent < size;)
		sent += write(pair[1], bytes + sent, size - sent);
	shutdown(pair[1], SHUT_WR);
	wait(0);
	close(pair[1]);
	free(bytes);
	/* sendfile and splice. */
	joined(pair);
	int file = open("/proc/self/exe", O_RDONLY), pipes[2];
	pipe(pipes);
	say_result("sendfile", sendfile(pair[0], file, 0, 1000));
	await(pair[1], POLLIN);
	say_result("read", recv(pair[1], text, 4, 0));
	printf("%d ELF: %d\n", version, memcmp(text + 1, "ELF", 3) == 0);
	close(pair[0]);
	close(pair[1]);
}

static int broken_pipes;

static void on_broken(int signal)
{
	broken_pipes++;
}

static void ends(void)
{
	char text[16];
	int pair[2];
	signal(SIGPIPE, on_broken);
	for (int how = 0; how < 3; how++) {
		joined(pair);
		fcntl(pair[0], F_SETFL, O_NONBLOCK);
		printf("%d shutdown %d\n", version, how);
		say_result("shutdown", shutdown(pair[0], how));
		if (how)
			await(pair[1], POLLRDHUP);
		say_events("here", pair[0]);
		say_events("there", pair[1]);
		if (how) {
			broken_pipes = 0;
			say_result("write", write(pair[0], "x", 1));
			printf("signals %d\n", broken_pipes);
			say_result("read there", read(pair[1], text, 16));
		}
		say_result("read", read(pair[0], text, 16));
		close(pair[0]);
		close(pair[1]);
	}
	joined(pair);
	write(pair[1], "unread", 6);
	await(pair[0], POLLIN);
	close(pair[0]);
	await(pair[1], POLLHUP);
	say_events("after a reset", pair[1]);
	say_result("error", option(pair[1], SOL_SOCKET, SO_ERROR));
	broken_pipes = 0;
	say_result("write", write(pair[1], "x", 1));
	say_result("read", read(pair[1], text, 16));
	printf("signals %d\n", broken_pipes);
	close(pair[1]);
	joined(pair);
	write(pair[0], "last", 4);
	close(pair[0]);
	await(pair[1], POLLRDHUP);
	say_events("after a close", pair[1]);
	say_result("read", read(pair[1], text, 16));
	say_result("read", read(pair[1], text, 16));
	say_result("first write", write(pair[1], "x", 1));
	await(pair[1], POLLHUP);
	broken_pipes = 0;
	say_result("second write", write(pair[1], "x", 1));
	printf("signals %d\n", broken_pipes);
	say_name("peer", pair[1], 1);
	close(pair[1]);
	joined(pair);
	struct linger linger = { 1, 0 };
	setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(pair[0]);
	await(pair[1], POLLHUP);
	say_events("after an abort", pair[1]);
	say_result("read", read(pair[1], text, 16));
	say_result("read", read(pair[1], text, 16));
	close(pair[1]);
	joined(pair);
	linger.l_linger = 5;
	setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	write(pair[0], "bytes", 5);
	say_result("close that lingers", close(pair[0]));
	say_result("read", read(pair[1], text, 16));
	close(pair[1]);
	signal(SIGPIPE, SIG_DFL);
}

static void urgent(void)
{
	int pair[2];
	char text[16];
	joined(pair);
	send(pair[0], "ab", 2, 0);
	say_result("send", send(pair[0], "c!", 2, MSG_OOB));
	send(pair[0], "de", 2, 0);
	await(pair[1], POLLPRI);
	usleep(20000);
	say_events("events", pair[1]);
	say_result("before", recv(pair[1], text, 16, 0));
	say_result("urgent", recv(pair[1], text, 16, MSG_OOB));
	printf("%d %c\n", version, text[0]);
	say_result("urgent again", recv(pair[1], text, 16, MSG_OOB));
	say_result("after", recv(pair[1], text, 16, 0));
	close(pair[0]);
	close(pair[1]);
}

/* A read that has taken something stops at the urgent byte, whatever it waits for; the byte is in the stream or not. */
static void marks(int is_inline)
{
	int pair[2];
	char text[16];
	int at_mark = -1, waiting = -1;
	joined(pair);
	say_result("inline", setsockopt(pair[1], SOL_SOCKET, SO_OOBINLINE, &is_inline, sizeof is_inline));
	say_result("at mark", ioctl(pair[1], SIOCATMARK, &at_mark));
	send(pair[0], "abc!", 4, MSG_OOB);
	send(pair[0], "def", 3, 0);
	await(pair[1], POLLPRI);
	usleep(20000);
	ioctl(pair[1], FIONREAD, &waiting);
	ioctl(pair[1], SIOCATMARK, &at_mark);
	printf("%d inline %d: %d can be read, at mark %d\n", version, is_inline, waiting, at_mark);
	for (int count = 1; count > 0;) {
		count = recv(pair[1], text, 6, MSG_WAITALL | (at_mark ? MSG_DONTWAIT : 0));
		ioctl(pair[1], FIONREAD, &waiting);
		ioctl(pair[1], SIOCATMARK, &at_mark);
		printf("%d read %s %.*s, %d can be read, at mark %d\n", version, result(count), count < 0 ? 0 : count, text, waiting, at_mark);
		say_events("events", pair[1]);
		if (count < 6 && !at_mark)
			break;
	}
	say_result("urgent", recv(pair[1], text, 16, MSG_OOB));
	close(pair[0]);
	close(pair[1]);
}

static void marks_both_ways(void)
{
	marks(0);
	marks(1);
}

/* What a listener is told its connections have; the two bits of a type of service that are ECN's are TCP's own. */
static void hops_and_classes(void)
{
	int limit = 7, class = 0x2f;
	int one = listener(4);
	int level = version == 4 ? SOL_IP : SOL_IPV6, hops = version == 4 ? IP_TTL : IPV6_UNICAST_HOPS;
	int classes = version == 4 ? IP_TOS : IPV6_TCLASS;
	say_result("limit", setsockopt(one, level, hops, &limit, sizeof limit));
	say_result("class", setsockopt(one, level, classes, &class, sizeof class));
	struct sockaddr_storage name;
	socklen_t length = address_of(&name, 0, port_of(one));
	int client = socket(family(), SOCK_STREAM, 0);
	connect(client, (void *)&name, length);
	int server = accept(one, 0, 0);
	say_result("its limit", option(server, level, hops));
	say_result("its class", option(server, level, classes));
	say_result("the other's limit", option(client, level, hops));
	say_result("the other's class", option(client, level, classes));
	close(client);
	close(server);
	close(one);
}

/* What tcp_info counts, behind the fields that the C library names (include/uapi/linux/tcp.h). */
static void counted(int pair[2])
{
	enum { LAST_DATA_SENT = 44, LAST_DATA_RECEIVED = 52, LAST_ACK_RECEIVED = 56, RECEIVED = 128 };
	enum { SENT = 200, AGAIN = 208, DISORDERED = 224, WINDOW = 228, BYTES = 232 };
	char text[5000] = { 0 };
	write(pair[0], text, sizeof text);
	for (size_t got = 0; got < sizeof text;) {
		ssize_t now = read(pair[1], text, sizeof text - got);
		if (now <= 0)
			break;
		got += now;
	}
	for (int i = 0; i < 2; i++) {
		_Alignas(8) char info[BYTES] = { 0 };
		socklen_t length = sizeof info;
		say_result("all of it", getsockopt(pair[i], SOL_TCP, TCP_INFO, info, &length));
		printf("%d %d bytes, sent %llu, again %llu, received %llu, out of order %u, window %d\n", version, (int)length,
			*(unsigned long long *)(info + SENT), *(unsigned long long *)(info + AGAIN), *(unsigned long long *)(info + RECEIVED),
			*(unsigned *)(info + DISORDERED), *(unsigned *)(info + WINDOW) > 0);
		printf("%d lately: %d %d %d\n", version, *(unsigned *)(info + LAST_DATA_SENT) < 60000,
			*(unsigned *)(info + LAST_DATA_RECEIVED) < 60000, *(unsigned *)(info + LAST_ACK_RECEIVED) < 60000);
	}
}

static void options(void)
{
	static const struct { int level, number, value; } tries[] = {
		{ SOL_SOCKET, SO_REUSEADDR, 1 }, { SOL_SOCKET, SO_REUSEPORT, 1 }, { SOL_SOCKET, SO_KEEPALIVE, 1 }, { SOL_SOCKET, SO_BROADCAST, 1 },
			{ SOL_SOCKET, SO_OOBINLINE, 1 },
		{ SOL_SOCKET, SO_TYPE, 1 }, { SOL_SOCKET, SO_ACCEPTCONN, 1 }, { SOL_SOCKET, SO_DOMAIN, 1 }, { SOL_SOCKET, 999, 1 },
		{ SOL_TCP, TCP_NODELAY, 1 }, { SOL_TCP, TCP_CORK, 1 }, { SOL_TCP, TCP_KEEPIDLE, 30 }, { SOL_TCP, TCP_KEEPIDLE, 0 }, { SOL_TCP,
			TCP_KEEPIDLE, 40000 }, { SOL_TCP, TCP_KEEPINTVL, 5 },
		{ SOL_TCP, TCP_KEEPCNT, 3 }, { SOL_TCP, TCP_KEEPCNT, 200 }, { SOL_TCP, TCP_SYNCNT, 3 }, { SOL_TCP, TCP_SYNCNT, 0 }, { SOL_TCP,
			TCP_USER_TIMEOUT, 1000 },
		{ SOL_TCP, TCP_USER_TIMEOUT, -1 }, { SOL_TCP, 999, 1 }, { SOL_TCP, TCP_LINGER2, 10 },
		{ SOL_IP, IP_TTL, 30 }, { SOL_IP, IP_TTL, 0 }, { SOL_IP, IP_TTL, 256 }, { SOL_IP, IP_TTL, -1 }, { SOL_IP, IP_RECVTTL, 1 }, { SOL_IP,
			IP_RECVTOS, 1 },
		{ SOL_IP, IP_PKTINFO, 1 }, { SOL_IP, IP_RECVERR, 1 }, { SOL_IP, IP_MTU_DISCOVER, 9 }, { SOL_IP, IP_FREEBIND, 1 }, { SOL_IP,
			IP_MULTICAST_LOOP, 0 }, { SOL_IP, 999, 1 },
		{ SOL_IPV6, IPV6_V6ONLY, 1 }, { SOL_IPV6, IPV6_UNICAST_HOPS, 30 }, { SOL_IPV6, IPV6_UNICAST_HOPS, 256 }, { SOL_IPV6,
			IPV6_MULTICAST_HOPS, 3 }, { SOL_IPV6, IPV6_RECVPKTINFO, 1 },
		{ SOL_IPV6, IPV6_RECVHOPLIMIT, 1 }, { SOL_IPV6, IPV6_RECVTCLASS, 1 }, { SOL_IPV6, IPV6_TCLASS, 8 }, { SOL_IPV6, 999, 1 } };
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		int one = socket(family(), type, 0);
		for (int i = 0; i < sizeof tries / sizeof *tries; i++) {
			if (type == SOCK_DGRAM && tries[i].level == SOL_TCP)
				continue;
			printf("%d type %d level %d option %d = %d: %s,", version, type, tries[i].level, tries[i].number, tries[i].value, result(option(one,
				tries[i].level, tries[i].number)));
			printf(" %s,", error_of(setsockopt(one, tries[i].level, tries[i].number, &tries[i].value, sizeof(int))));
			printf(" %s\n", result(option(one, tries[i].level, tries[i].number)));
		}
		char header[40];
		socklen_t room = sizeof header;
		if (version == 4) {
			say_result("header options", getsockopt(one, SOL_IP, IP_OPTIONS, header, &room));
			printf("%d length %d, none set %s\n", version, room, result(setsockopt(one, SOL_IP, IP_OPTIONS, "", 0)));
		}
		close(one);
	}
	int pair[2];
	joined(pair);
	struct tcp_info info = { 0 };
	socklen_t length = sizeof info;
	say_result("info", getsockopt(pair[0], SOL_TCP, TCP_INFO, &info, &length));
	printf("%d state %d, options %d\n", version, info.tcpi_state, info.tcpi_options & 7);
	counted(pair);
	char name[16] = { 0 };
	length = sizeof name;
	say_result("congestion", getsockopt(pair[0], SOL_TCP, TCP_CONGESTION, name, &length));
	say_result("unknown congestion", setsockopt(pair[0], SOL_TCP, TCP_CONGESTION, "nothing", 7));
	say_result("another congestion", setsockopt(pair[0], SOL_TCP, TCP_CONGESTION, "reno", 4));
	length = sizeof name;
	getsockopt(pair[0], SOL_TCP, TCP_CONGESTION, name, &length);
	printf("%d congestion %s\n", version, name);
	close(pair[0]);
	close(pair[1]);
}

static void datagrams(void)
{
	struct sockaddr_storage name, from;
	char text[64];
	int one = socket(family(), SOCK_DGRAM | SOCK_NONBLOCK, 0), two = socket(family(), SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t length = address_of(&name, 0, 0);
	bind(one, (void *)&name, length);
	length = address_of(&name, 0, port_of(one));
	say_result("send", sendto(two, "datagram", 8, 0, (void *)&name, length));
	say_name("name of the sender", two, 0);
	await(one, POLLIN);
	socklen_t room = sizeof from;
	say_result("peek", recvfrom(one, text, 4, MSG_PEEK | MSG_TRUNC, (void *)&from, &room));
	say_result("receive", recvfrom(one, text, 64, 0, (void *)&from, &room));
	printf("%d from %u family %d the sender %d\n", version, room, from.ss_family,
		ntohs(((struct sockaddr_in *)&from)->sin_port) == port_of(two));
	say_result("none", recv(one, text, 64, 0));
	say_result("answer", sendto(one, "", 0, 0, (void *)&from, room));
	await(two, POLLIN);
	say_result("receive", recv(two, text, 64, 0));
	say_result("connect", connect(two, (void *)&name, length));
	say_name("name", two, 0);
	say_name("peer", two, 1);
	say_result("send", send(two, "connected", 9, 0));
	await(one, POLLIN);
	say_result("receive", recv(one, text, 4, 0));
	say_result("large", sendto(two, calloc(1, 70000), 65508, 0, 0, 0));
	say_result("largest", send(two, calloc(1, 70000), 65507 - (version == 6 ? 0 : 0), 0) > 0);
	close(one);
	usleep(20000);
	recv(two, text, 64, 0);
	send(two, "x", 1, 0);
	await(two, POLLIN);
	say_events("nobody there", two);
	say_result("receive", recv(two, text, 64, 0));
	say_result("receive", recv(two, text, 64, 0));
	say_result("shutdown", shutdown(two, SHUT_RD));
	say_events("shut", two);
	struct sockaddr none = { AF_UNSPEC };
	say_result("disconnect", connect(two, &none, sizeof none));
	say_name("peer", two, 1);
	say_result("send", send(two, "x", 1, 0));
	close(two);
	/* Control messages. */
	int on = 1;
	one = socket(family(), SOCK_DGRAM, 0);
	two = socket(family(), SOCK_DGRAM, 0);
	length = address_of(&name, 0, 0);
	bind(one, (void *)&name, length);
	length = address_of(&name, 0, port_of(one));
	if (version == 4) {
		setsockopt(one, SOL_IP, IP_PKTINFO, &on, 4);
		setsockopt(one, SOL_IP, IP_RECVTTL, &on, 4);
		setsockopt(one, SOL_IP, IP_RECVTOS, &on, 4);
		int ttl = 33, tos = 0x10;
		setsockopt(two, SOL_IP, IP_TTL, &ttl, 4);
		setsockopt(two, SOL_IP, IP_TOS, &tos, 4);
	} else {
		setsockopt(one, SOL_IPV6, IPV6_RECVPKTINFO, &on, 4);
		setsockopt(one, SOL_IPV6, IPV6_RECVHOPLIMIT, &on, 4);
		setsockopt(one, SOL_IPV6, IPV6_RECVTCLASS, &on, 4);
		int hops = 33, class = 0x10;
		setsockopt(two, SOL_IPV6, IPV6_UNICAST_HOPS, &hops, 4);
		setsockopt(two, SOL_IPV6, IPV6_TCLASS, &class, 4);
	}
	sendto(two, "told", 4, 0, (void *)&name, length);
	await(one, POLLIN);
	char control[256];
	struct iovec data = { text, sizeof text };
	struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control, .msg_name = &from,
		.msg_namelen = sizeof from };
	say_result("recvmsg", recvmsg(one, &header, 0));
	printf("%d flags %x control %zu name %u\n", version, header.msg_flags, header.msg_controllen, header.msg_namelen);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		printf("%d level %d type %d length %zu:", version, c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
		for (int i = 0; i < c->cmsg_len - CMSG_LEN(0); i++)
			printf(" %02x", CMSG_DATA(c)[i]);
		printf("\n");
	}
	/* When it came: as microseconds or as nanoseconds, the option that was set last. */
	for (int step = 0; step < 4; step++) {
		static const int options[] = { SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMP, SO_TIMESTAMPNS };
		int value = step < 3, micro = 9, nano = 9;
		socklen_t size = sizeof value;
		say_result("timestamps", setsockopt(one, SOL_SOCKET, options[step], &value, sizeof value));
		getsockopt(one, SOL_SOCKET, SO_TIMESTAMP, &micro, &size);
		getsockopt(one, SOL_SOCKET, SO_TIMESTAMPNS, &nano, &size);
		sendto(two, "when", 4, 0, (void *)&name, length);
		await(one, POLLIN);
		header.msg_controllen = sizeof control;
		recvmsg(one, &header, 0);
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		printf("%d on %d %d:", version, micro, nano);
		for (; c; c = CMSG_NXTHDR(&header, c))
			if (c->cmsg_level == SOL_SOCKET) {
				struct timespec *at = (void *)CMSG_DATA(c), now;
				clock_gettime(CLOCK_REALTIME, &now);
				printf(" type %d length %zu now %d", c->cmsg_type, (size_t)c->cmsg_len, now.tv_sec - at->tv_sec < 60UL);
			}
		printf("\n");
	}
	close(one);
	close(two);
	/* The error queue. */
	one = socket(family(), SOCK_DGRAM, 0);
	setsockopt(one, version == 4 ? SOL_IP : SOL_IPV6, version == 4 ? IP_RECVERR : IPV6_RECVERR, &on, 4);
	sendto(one, "lost", 4, 0, (void *)&name, length);
	await(one, POLLERR);
	say_events("error", one);
	header.msg_controllen = sizeof control;
	header.msg_namelen = sizeof from;
	say_result("error queue", recvmsg(one, &header, MSG_ERRQUEUE));
	struct cmsghdr *first = CMSG_FIRSTHDR(&header);
	struct sock_extended_err *error = first ? (void *)CMSG_DATA(first) : 0;
	if (error)
		printf("%d flags %x errno %s type %d code %d\n", version, header.msg_flags, strerrorname_np(error->ee_errno),
			error->ee_type, error->ee_code);
	close(one);
	/* Shared ports. */
	one = socket(family(), SOCK_DGRAM, 0);
	two = socket(family(), SOCK_DGRAM, 0);
	setsockopt(one, SOL_SOCKET, SO_REUSEPORT, &on, 4);
	length = address_of(&name, 0, 0);
	bind(one, (void *)&name, length);
	length = address_of(&name, 0, port_of(one));
	say_result("port of one who does not share", bind(two, (void *)&name, length));
	setsockopt(two, SOL_SOCKET, SO_REUSEPORT, &on, 4);
	say_result("port of one who does", bind(two, (void *)&name, length));
	close(one);
	close(two);
}

static void *connect_later(void *argument)
{
	struct sockaddr_storage name;
	usleep(50000);
	int client = socket(family(), SOCK_STREAM, 0);
	socklen_t length = address_of(&name, 0, *(int *)argument);
	connect(client, (void *)&name, length);
	usleep(50000);
	write(client, "late", 4);
	usleep(50000);
	close(client);
	return 0;
}

static void waits(void)
{
	int server = listener(5), port = port_of(server);
	pthread_t thread;
	char text[16];
	pthread_create(&thread, 0, connect_later, &port);
	int set = epoll_create1(0);
	struct epoll_event event = { EPOLLIN | EPOLLET | EPOLLRDHUP };
	epoll_ctl(set, EPOLL_CTL_ADD, server, &event);
	say_result("epoll", epoll_wait(set, &event, 1, 5000));
	int accepted = accept(server, 0, 0);
	printf("%d accepted: %s\n", version, done(accepted));
	say_result("read", read(accepted, text, 16));
	say_result("read", read(accepted, text, 16));
	pthread_join(thread, 0);
	close(accepted);
	struct timeval time = { 0, 20000 };
	setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
	say_result("accept with a time-out", accept(server, 0, 0));
	close(server);
	int pair[2];
	joined(pair);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	char bytes[4096] = { 0 };
	while (write(pair[0], bytes, sizeof bytes) > 0)
		;
	say_result("full", write(pair[0], bytes, sizeof bytes));
	say_events("full", pair[0]);
	epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &(struct epoll_event) { EPOLLOUT | EPOLLET });
	say_result("epoll", epoll_wait(set, &event, 1, 0));
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 100; i++) {
		while (read(pair[1], bytes, sizeof bytes) > 0)
			;
		usleep(1000);
	}
	say_result("epoll", epoll_wait(set, &event, 1, 5000));
	close(pair[0]);
	close(pair[1]);
	close(set);
}

#include "socket-filters.h"
#include "socket-diagnostics.h"

/* What sockets of every family tell of an interface (if_nametoindex(3) asks one of AF_UNIX). */
static void asked_everywhere(void)
{
	int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET };
	int requests[] = { SIOCGIFNAME, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFDSTADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK,
		SIOCGIFMETRIC, SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFTXQLEN, SIOCOUTQ, SIOCINQ, TCGETS };
	for (int i = 0; i < sizeof families / sizeof families[0]; i++) {
		int one = socket(families[i], families[i] == AF_UNIX ? SOCK_STREAM : SOCK_DGRAM, 0);
		printf("family %d:", families[i]);
		for (int j = 0; j < sizeof requests / sizeof requests[0]; j++) {
			struct ifreq request = { .ifr_name = "lo" };
			if (requests[j] == SIOCGIFNAME)
				request.ifr_ifindex = 1;
			if (requests[j] == SIOCGIFCONF)
				memset(&request, 0, sizeof request);
			printf(" %s", result(ioctl(one, requests[j], &request)));
		}
		puts("");
		close(one);
	}
	printf("named: %d\n", if_nametoindex("lo"));
}

static void interfaces(void)
{
	asked_everywhere();
	struct ifreq request = { .ifr_name = "lo" };
	int one = socket(family(), SOCK_DGRAM, 0);
	say_result("index", ioctl(one, SIOCGIFINDEX, &request));
	printf("%d\n", request.ifr_ifindex);
	say_result("flags", ioctl(one, SIOCGIFFLAGS, &request));
	printf("%x\n", request.ifr_flags & 0x4f);
	say_result("mtu", ioctl(one, SIOCGIFMTU, &request));
	printf("%d\n", request.ifr_mtu);
	if (version == 4) {
		say_result("address", ioctl(one, SIOCGIFADDR, &request));
		printf("%s\n", inet_ntoa(((struct sockaddr_in *)&request.ifr_addr)->sin_addr));
		say_result("mask", ioctl(one, SIOCGIFNETMASK, &request));
		printf("%s\n", inet_ntoa(((struct sockaddr_in *)&request.ifr_addr)->sin_addr));
	}
	say_result("hardware", ioctl(one, SIOCGIFHWADDR, &request));
	printf("%d\n", request.ifr_hwaddr.sa_family);
	strcpy(request.ifr_name, "none0");
	say_result("no such one", ioctl(one, SIOCGIFINDEX, &request));
	close(one);
}

int main(int count, char **arguments)
{
	setbuf(stdout, 0);
	struct { const char *name; void (*run)(void); } parts[] = { { "creation", creation }, { "unconnected", unconnected }, { "connections",
		connections }, { "transfers", transfers }, { "ends", ends },
		{ "urgent", urgent }, { "marks", marks_both_ways }, { "hops and classes", hops_and_classes }, { "options", options },
		{ "datagrams", datagrams }, { "waits", waits }, { "filters", filters }, { "diagnostics", diagnostics },
		{ "interfaces", interfaces } };
	for (version = 4; version <= 6; version += 2)
		for (int i = 0; i < sizeof parts / sizeof parts[0]; i++) {
			if (count > 1 && strcmp(arguments[1], "/") && strcmp(arguments[1], parts[i].name))
				continue;
			printf("-- %s\n", parts[i].name);
			parts[i].run();
		}
	return 0;
}
