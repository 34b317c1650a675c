/*
 * socket-sequences: short sequences of socket calls drawn from a table of calls, names, flags, options and bad arguments, none of which
 * waits. One line for each: every call with its result, and what of its output is the same on every Linux. The same seed gives the same
 * sequences everywhere, and a rack and a host print the same.
 *
 * gcc -O2 -static -w -o socket-sequences socket-sequences.c
 *
 * socket-sequences FIRST COUNT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <linux/sockios.h>

#include "results.h"

enum { SLOTS = 4, NAMES = 2, STEPS = 40 };

static int slots[SLOTS];

/* A socket of the internet's that was shut down before it got a peer or a listener: what is left of that afterwards is not compared. */
static int was_shut[SLOTS];

/* An urgent byte was sent in this sequence. */
static int has_urgent;

/* A socket of AF_INET6 that has tried to connect over IPv4: over IPv6 Linux does not hear its peer any more. */
static int was_mapped[SLOTS];

/* The latest listener and the number of its name, which most calls that need one take: others go astray. */
static int listener, listener_name;

static int family;
static int sequence;
static uint64_t random_state;

static unsigned below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % limit;
}

#define ONE_OF(table) (table)[below(sizeof (table) / sizeof (table)[0])]

/* Addresses of a name: the loopback interface's, the same as AF_INET6 maps IPv4's, none. */
enum { LOOPBACK, ANY, MAPPED, FORMS };

/* The names of a sequence are its own, so that what an earlier one has left behind does not matter. */
static socklen_t name_of(struct sockaddr_storage *to, int of_family, int number, int form)
{
	memset(to, 0, sizeof *to);
	to->ss_family = of_family;
	int port = htons(1024 + sequence * NAMES + number);
	if (of_family == AF_UNIX)
		return offsetof(struct sockaddr_un, sun_path) + 1
			+ sprintf(((struct sockaddr_un *)to)->sun_path + 1, "sequence-%d-%d", sequence, number);
	if (of_family == AF_INET) {
		((struct sockaddr_in *)to)->sin_port = port;
		((struct sockaddr_in *)to)->sin_addr.s_addr = htonl(form == ANY ? INADDR_ANY : INADDR_LOOPBACK);
		return sizeof(struct sockaddr_in);
	}
	((struct sockaddr_in6 *)to)->sin6_port = port;
	((struct sockaddr_in6 *)to)->sin6_addr = form == ANY ? in6addr_any : in6addr_loopback;
	if (form == MAPPED)
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &((struct sockaddr_in6 *)to)->sin6_addr);
	return sizeof(struct sockaddr_in6);
}

/* Whose name it is: "0", "1", "any" for a port that the kernel has chosen, "none"; and which form of address it has. */
static const char *whose(const struct sockaddr_storage *name, socklen_t length)
{
	static const char *texts[][FORMS] = { { "0", "0 at any", "0 mapped" }, { "1", "1 at any", "1 mapped" } };
	for (int number = 0; number < NAMES; number++)
		for (int form = 0; form < FORMS; form++) {
			struct sockaddr_storage known;
			if (name_of(&known, name->ss_family, number, form) == length && !memcmp(&known, name, length))
				return texts[number][form];
		}
	if (name->ss_family == AF_UNIX)
		return length > sizeof(sa_family_t) ? "any" : "none";
	const struct in6_addr *address = &((struct sockaddr_in6 *)name)->sin6_addr;
	int is_mapped = name->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(address);
	int is_nowhere = name->ss_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(address)
		: !((struct sockaddr_in *)name)->sin_addr.s_addr;
	if (((struct sockaddr_in *)name)->sin_port)
		return is_mapped ? "any mapped" : is_nowhere ? "any at any" : "any";
	return is_mapped ? "none mapped" : is_nowhere ? "none" : "none here";
}

static void say_call(const char *call, int slot, const char *how, long value)
{
	printf(" %s%s%d=%s", call, how, slot, result(value));
}

static int is_stream(int made)
{
	int type = 0;
	socklen_t length = sizeof type;
	getsockopt(made, SOL_SOCKET, SO_TYPE, &type, &length);
	return type == SOCK_STREAM;
}

/* What is sent is seen at once by the other end. */
static void prepare(int made)
{
	int one = 1;
	fcntl(made, F_SETFL, O_NONBLOCK);
	if (family != AF_UNIX && is_stream(made))
		setsockopt(made, SOL_TCP, TCP_NODELAY, &one, sizeof one);
}

static void make(int slot)
{
	was_shut[slot] = was_mapped[slot] = 0;
	static const int types[] = { SOCK_STREAM, SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int type = ONE_OF(types);
	if (family != AF_UNIX && type == SOCK_SEQPACKET && below(4))
		type = SOCK_STREAM;
	int pair[2] = { -1, -1 };
	if (family == AF_UNIX && below(2)) {
		int got = socketpair(family, type, 0, pair);
		printf(" pair%d:%d=%s", type, slot, result(got));
	} else {
		pair[0] = socket(family, type, 0);
		printf(" socket%d:%d=%s", type, slot, done(pair[0]));
	}
	for (int other = 0; other < SLOTS && pair[1] >= 0; other++)
		if (other != slot && slots[other] < 0) {
			was_shut[other] = was_mapped[other] = 0;
			slots[other] = pair[1];
			prepare(pair[1]);
			pair[1] = -1;
		}
	if (pair[1] >= 0)
		close(pair[1]);
	if (pair[0] >= 0)
		prepare(slots[slot] = pair[0]);
}

/* Mostly a right name; else one that is too short, too long, or of another family. */
static socklen_t some_name(struct sockaddr_storage *name)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_UNSPEC, 99 };
	int number = listener_name >= 0 && below(4) ? listener_name : below(NAMES);
	int form = family == AF_UNIX || below(3) ? LOOPBACK : family == AF_INET ? ANY : 1 + below(2);
	socklen_t length = name_of(name, family, number, form);
	printf("(%d%s", number, form == ANY ? " at any" : form == MAPPED ? " mapped" : "");
	switch (below(12)) {
	case 0: {
		int other = ONE_OF(families);
		/* Not to forget the peer: that is a call of its own. And AF_INET's names are half right for AF_INET6. */
		if (other != AF_UNSPEC && other != family && !(family == AF_INET6 && other == AF_INET)) {
			printf(",family%d", other);
			name->ss_family = other;
		}
		break;
	}
	case 1:
		length = below(4);
		printf(",%d bytes", length);
		break;
	}
	printf(")");
	return length;
}

static void bind_it(int slot)
{
	if (was_shut[slot])
		return;
	struct sockaddr_storage name;
	printf(" bind");
	socklen_t length = some_name(&name);
	say_call("", slot, "", bind(slots[slot], (void *)&name, length));
}

static void connect_it(int slot)
{
	if (was_shut[slot])
		return;
	struct sockaddr_storage name;
	printf(" connect");
	socklen_t length = some_name(&name);
	int is_mapped = family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&((struct sockaddr_in6 *)&name)->sin6_addr);
	if (was_mapped[slot] && !is_mapped && is_stream(slots[slot]))
		return;
	was_mapped[slot] |= is_mapped;
	say_call("", slot, "", connect(slots[slot], (void *)&name, length));
}

static void listen_it(int slot)
{
	if (was_shut[slot])
		return;
	int backlog = below(4);
	printf(" listen(%d)", backlog);
	say_call("", slot, "", listen(slots[slot], backlog));
}

/* What most sequences need to come any further. */
static void serve_it(int slot)
{
	if (was_shut[slot])
		return;
	struct sockaddr_storage name;
	int number = below(NAMES);
	int form = family == AF_UNIX || below(3) ? LOOPBACK : family == AF_INET ? ANY : 1 + below(2);
	socklen_t length = name_of(&name, family, number, form);
	printf(" serve(%d%s)", number, form == ANY ? " at any" : form == MAPPED ? " mapped" : "");
	int bound = bind(slots[slot], (void *)&name, length);
	say_call("", slot, "", bound);
	int listens = listen(slots[slot], 2);
	say_call(",", slot, "", listens);
	if (!bound && !listens) {
		listener = slot;
		listener_name = number;
	}
}

static void accept_it(int slot)
{
	struct sockaddr_storage name = { 0 };
	socklen_t length = sizeof name;
	if (listener >= 0 && slots[listener] >= 0 && below(4))
		slot = listener;
	int accepted = accept4(slots[slot], (void *)&name, &length, below(8) ? SOCK_NONBLOCK : 0x40);
	printf(" accept%d=%s", slot, done(accepted));
	if (accepted < 0)
		return;
	printf("(%s)", whose(&name, length));
	prepare(accepted);
	for (int other = 0; other < SLOTS; other++)
		if (slots[other] < 0) {
			was_shut[other] = was_mapped[other] = 0;
			slots[other] = accepted;
			return;
		}
	close(accepted);
}

static void send_it(int slot)
{
	static const int lengths[] = { 0, 1, 5, 100, 1000 };
	static const int flags[] = { 0, 0, 0, MSG_OOB, MSG_EOR, MSG_DONTROUTE, MSG_CONFIRM };
	static char bytes[1000];
	struct sockaddr_storage name;
	int length = ONE_OF(lengths), flag = ONE_OF(flags);
	has_urgent |= flag == MSG_OOB;
	memset(bytes, 'a' + below(26), sizeof bytes);
	printf(" send(%d,%x)", length, flag);
	if (below(3)) {
		say_call("", slot, "", send(slots[slot], bytes, length, flag | MSG_NOSIGNAL));
		return;
	}
	socklen_t to = some_name(&name);
	say_call("", slot, "", sendto(slots[slot], bytes, length, flag | MSG_NOSIGNAL, (void *)&name, to));
}

static void receive_it(int slot)
{
	static const int lengths[] = { 0, 1, 3, 100, 2000 };
	static const int flags[] = { 0, 0, 0, MSG_PEEK, MSG_TRUNC, MSG_PEEK | MSG_TRUNC, MSG_OOB, MSG_WAITALL, MSG_ERRQUEUE };
	static char bytes[2000];
	int length = ONE_OF(lengths), flag = ONE_OF(flags);
	struct sockaddr_storage name = { 0 };
	struct iovec vector = { bytes, length };
	struct msghdr message = { .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &vector, .msg_iovlen = 1 };
	long got = recvmsg(slots[slot], &message, flag | MSG_DONTWAIT);
	printf(" receive(%d,%x)%d=%s", length, flag, slot, result(got));
	if (got < 0)
		return;
	printf("(%.1s,%x", got > 0 && length > 0 && !(is_stream(slots[slot]) && (flag & MSG_TRUNC)) ? bytes : "-", message.msg_flags);
	printf(message.msg_namelen ? ",%s)" : ")", whose(&name, message.msg_namelen));
}

static void shut_it(int slot)
{
	int how = below(10) ? below(3) : 3;
	printf(" shutdown(%d)", how);
	was_shut[slot] = family != AF_UNIX;
	say_call("", slot, "", shutdown(slots[slot], how));
}

static const struct { int level, number, value; } option_table[] = {
	{ SOL_SOCKET, SO_REUSEADDR, 1 }, { SOL_SOCKET, SO_REUSEADDR, 0 }, { SOL_SOCKET, SO_REUSEPORT, 1 }, { SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ SOL_SOCKET, SO_BROADCAST, 1 }, { SOL_SOCKET, SO_OOBINLINE, 1 }, { SOL_SOCKET, SO_OOBINLINE, 0 }, { SOL_SOCKET, SO_RCVLOWAT, 3 },
	{ SOL_SOCKET, SO_RCVLOWAT, 0 }, { SOL_SOCKET, SO_TYPE, 1 }, { SOL_SOCKET, SO_ERROR, 1 }, { SOL_SOCKET, SO_ACCEPTCONN, 1 },
	{ SOL_SOCKET, SO_DOMAIN, 1 }, { SOL_SOCKET, SO_PROTOCOL, 1 }, { SOL_SOCKET, SO_DONTROUTE, 1 }, { SOL_SOCKET, SO_PRIORITY, 4 },
	{ SOL_SOCKET, 999, 1 }, { SOL_TCP, TCP_NODELAY, 1 }, { SOL_TCP, TCP_KEEPIDLE, 30 }, { SOL_TCP, TCP_KEEPIDLE, 0 },
	{ SOL_TCP, TCP_KEEPIDLE, 40000 }, { SOL_TCP, TCP_KEEPINTVL, 5 }, { SOL_TCP, TCP_KEEPCNT, 3 }, { SOL_TCP, TCP_KEEPCNT, 200 },
	{ SOL_TCP, TCP_SYNCNT, 3 }, { SOL_TCP, TCP_USER_TIMEOUT, 10000 }, { SOL_TCP, TCP_USER_TIMEOUT, -1 }, { SOL_TCP, TCP_LINGER2, 10 },
	{ SOL_TCP, 999, 1 }, { SOL_IP, IP_TTL, 30 }, { SOL_IP, IP_TTL, 0 }, { SOL_IP, IP_TTL, 256 }, { SOL_IP, IP_TTL, -1 },
	{ SOL_IP, IP_TOS, 0x10 }, { SOL_IP, IP_TOS, 0x13 }, { SOL_IP, IP_RECVTTL, 1 }, { SOL_IP, IP_RECVTOS, 1 }, { SOL_IP, IP_PKTINFO, 1 },
	{ SOL_IP, IP_RECVERR, 1 }, { SOL_IP, IP_FREEBIND, 1 }, { SOL_IP, IP_MTU_DISCOVER, 2 }, { SOL_IP, IP_MTU_DISCOVER, 9 },
	{ SOL_IPV6, IPV6_V6ONLY, 1 }, { SOL_IPV6, IPV6_UNICAST_HOPS, 30 }, { SOL_IPV6, IPV6_UNICAST_HOPS, 256 },
	{ SOL_IPV6, IPV6_RECVPKTINFO, 1 }, { SOL_IPV6, IPV6_RECVHOPLIMIT, 1 }, { SOL_IPV6, IPV6_TCLASS, 8 },
};

/* A level that the socket's family does not have is a difference that docs/network.md names. */
static int pick_option(int made)
{
	int at;
	do {
		at = below(sizeof option_table / sizeof option_table[0]);
	} while (option_table[at].level != SOL_SOCKET && (family == AF_UNIX || (option_table[at].level == SOL_IP) != (family == AF_INET)
		&& option_table[at].level != SOL_TCP || option_table[at].level == SOL_TCP && !is_stream(made)));
	return at;
}

static void set_it(int slot)
{
	int at = pick_option(slots[slot]);
	int length = below(10) ? sizeof(int) : below(4);
	/* One byte is enough for IP's options, and which byte of a larger value it is depends on nothing but the value. */
	printf(" set(%d,%d,%d,%d)", option_table[at].level, option_table[at].number, option_table[at].value, length);
	say_call("", slot, "", setsockopt(slots[slot], option_table[at].level, option_table[at].number, &option_table[at].value, length));
}

static void get_it(int slot)
{
	int at = pick_option(slots[slot]);
	int value = 0;
	socklen_t length = below(10) ? sizeof value : below(4);
	printf(" get(%d,%d,%d)", option_table[at].level, option_table[at].number, length);
	long got = getsockopt(slots[slot], option_table[at].level, option_table[at].number, &value, &length);
	say_call("", slot, "", got);
	if (got >= 0)
		printf("(%d,%d)", length, value);
}

static void names_of_it(int slot)
{
	for (int of_peer = 0; of_peer < 2; of_peer++) {
		struct sockaddr_storage name = { 0 };
		socklen_t length = sizeof name;
		long got = (of_peer ? getpeername : getsockname)(slots[slot], (void *)&name, &length);
		say_call(of_peer ? "peer" : "name", slot, "", got);
		if (got >= 0)
			printf("(%d,%s)", length < 12 || family != AF_UNIX ? length : 0, whose(&name, length));
	}
}

static void poll_it(int slot)
{
	struct pollfd wanted = { slots[slot], POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0 };
	say_call("poll", slot, "", poll(&wanted, 1, 0));
	printf("(%x)", wanted.revents);
}

static void ask_it(int slot)
{
	/* Linux counts urgent bytes of AF_UNIX that a read has passed, since it keeps a count (6.17). */
	if (family == AF_UNIX && has_urgent)
		return;
	int number = 0;
	say_call("readable", slot, "", ioctl(slots[slot], FIONREAD, &number));
	printf("(%d)", number);
}

static void forget_it(int slot)
{
	struct sockaddr nobody = { AF_UNSPEC };
	/* A connection that is forgotten is reset. */
	say_call("forget", slot, "", connect(slots[slot], &nobody, sizeof nobody));
}

static void end_it(int slot)
{
	struct linger at_once = { 1, 0 };
	if (!below(3))
		say_call("linger", slot, "", setsockopt(slots[slot], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
	say_call("close", slot, "", close(slots[slot]));
	slots[slot] = -1;
}

static void (*const calls[])(int) = {
	serve_it, serve_it, serve_it, bind_it, connect_it, connect_it, connect_it, connect_it, listen_it, listen_it, accept_it, accept_it,
	accept_it, send_it, send_it, send_it, receive_it, receive_it, receive_it, shut_it, set_it, get_it, names_of_it, poll_it, poll_it,
	ask_it, forget_it, end_it,
};

int main(int count, char **arguments)
{
	static const int families[] = { AF_UNIX, AF_UNIX, AF_INET, AF_INET6 };
	int first = count > 1 ? atoi(arguments[1]) : 0;
	int last = first + (count > 2 ? atoi(arguments[2]) : 1000);
	for (sequence = first; sequence < last; sequence++) {
		random_state = 0x9e3779b97f4a7c15 * (sequence + 1);
		family = ONE_OF(families);
		listener = listener_name = -1;
		has_urgent = 0;
		printf("%d family %d:", sequence, family);
		for (int slot = 0; slot < SLOTS; slot++)
			slots[slot] = -1;
		for (int step = 0; step < STEPS; step++) {
			int slot = below(SLOTS);
			if (slots[slot] < 0)
				make(slot);
			else
				ONE_OF(calls)(slot);
		}
		printf("\n");
		for (int slot = 0; slot < SLOTS; slot++)
			if (slots[slot] >= 0)
				close(slots[slot]);
	}
	return 0;
}
