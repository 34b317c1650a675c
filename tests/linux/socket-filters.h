/* Filters of sockets (socket(7), SO_ATTACH_FILTER): which programs are taken, what they load, and what they leave of packets of UDP, TCP,
 * raw and packet sockets. A part of internet-sockets.c. */
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#define PORT 7777

static int attach_to(int socket, struct sock_filter *code, int count)
{
	struct sock_fprog program = { count, code };
	return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

#define ATTACH(socket, ...) \
	({ struct sock_filter these[] = { __VA_ARGS__ }; attach_to(socket, these, sizeof these / sizeof these[0]); })
#define END BPF_STMT(BPF_RET | BPF_K, 100000)
#define TOLD BPF_STMT(BPF_RET | BPF_A, 0)
/* The number in the accumulator as bytes behind UDP's header. */
#define AS_LENGTH BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 8), TOLD

static void refused_programs(int socket)
{
	struct sock_filter good[] = { END };
	struct sock_fprog program = { 1, good };
	int value = 0;
	say_result("detach nothing", setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &value, sizeof value));
	say_result("detach by nothing", setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &value, 0));
	say_result("short", setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, 8));
	say_result("long", setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, 32));
	say_result("empty", attach_to(socket, good, 0));
	say_result("too long", attach_to(socket, good, 4097));
	say_result("nowhere", attach_to(socket, 0, 1));
	say_result("elsewhere", attach_to(socket, (void *)8, 1));
	say_result("no end", ATTACH(socket, BPF_STMT(BPF_LD | BPF_IMM, 1)));
	say_result("jump out", ATTACH(socket, BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), END));
	say_result("branch out", ATTACH(socket, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), END));
	say_result("by zero", ATTACH(socket, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), END));
	say_result("rest by zero", ATTACH(socket, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), END));
	say_result("shift", ATTACH(socket, BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), END));
	say_result("scratch", ATTACH(socket, BPF_STMT(BPF_ST, 16), END));
	for (unsigned offset = SKF_AD_OFF - 4; offset != SKF_AD_OFF + 72u; offset += 2)
		printf("%d ", ATTACH(socket, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset), END));
	puts("");
	int taken = 0;
	for (int code = 0; code < 0x200; code++)
		if (ATTACH(socket, BPF_STMT(code, 1), END, END, END) == 0)
			taken = taken * 31 + code;
	printf("taken %x\n", taken);
}

/* What a program lets through of a long datagram. */
static void passes(const char *what, int receiver, int sender, int attached)
{
	static char bytes[50000] = { 3, 0x46, 0x01, 0x02, 0x03, 0x04, 'y' };
	struct sockaddr_storage to;
	say_result(what, attached);
	socklen_t length = address_of(&to, 0, PORT);
	sendto(sender, bytes, sizeof bytes, 0, (void *)&to, length);
	char back[sizeof bytes];
	say_result("  passes", recv(receiver, back, sizeof back, MSG_DONTWAIT));
}

static void loads(int receiver, int sender)
{
	passes("word", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 10), AS_LENGTH));
	passes("byte", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14), AS_LENGTH));
	passes("indexed", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LDX | BPF_IMM, 8), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 1), AS_LENGTH));
	passes("header length", receiver, sender,
		ATTACH(receiver, BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 9), BPF_STMT(BPF_MISC | BPF_TXA, 0), AS_LENGTH));
	passes("length", receiver, sender,
		ATTACH(receiver, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 100), TOLD));
	passes("beyond", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 60000), END));
	passes("at the end", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 50004), END));
	passes("over the end", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 50005), END));
	passes("rest", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LD | BPF_IMM, 17), BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 5), AS_LENGTH));
	passes("xor", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LDX | BPF_IMM, 5), BPF_STMT(BPF_LD | BPF_IMM, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_ALU_XOR_X), AS_LENGTH));
	passes("protocol", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL), AS_LENGTH));
	passes("kind", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE), AS_LENGTH));
	passes("interface", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_IFINDEX), AS_LENGTH));
	passes("VLAN", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT), AS_LENGTH));
	passes("network", receiver, sender,
		ATTACH(receiver, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_NET_OFF + (version == 4 ? 9 : 6)), AS_LENGTH));
	passes("drop", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_RET | BPF_K, 0)));
	passes("less than a header", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_RET | BPF_K, 3)));
	passes("a bit", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_RET | BPF_K, 20)));
	passes("by zero at last", receiver, sender, ATTACH(receiver, BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), END));
}

static void locks(int socket)
{
	struct sock_filter code[8];
	socklen_t count = 0;
	ATTACH(socket, BPF_STMT(BPF_LD | BPF_IMM, 7), END);
	say_result("count", getsockopt(socket, SOL_SOCKET, SO_GET_FILTER, 0, &count));
	printf("%d\n", count);
	count = 1;
	say_result("little room", getsockopt(socket, SOL_SOCKET, SO_GET_FILTER, code, &count));
	count = 8;
	say_result("room", getsockopt(socket, SOL_SOCKET, SO_GET_FILTER, code, &count));
	printf("%d: %x %x %x %x\n", count, code[0].code, code[0].k, code[1].code, code[1].k);
	int one = 1, none = 0;
	printf("locked %ld\n", option(socket, SOL_SOCKET, SO_LOCK_FILTER));
	say_result("unlock", setsockopt(socket, SOL_SOCKET, SO_LOCK_FILTER, &none, sizeof none));
	say_result("lock", setsockopt(socket, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one));
	say_result("again", setsockopt(socket, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one));
	say_result("unlock", setsockopt(socket, SOL_SOCKET, SO_LOCK_FILTER, &none, sizeof none));
	printf("locked %ld\n", option(socket, SOL_SOCKET, SO_LOCK_FILTER));
	say_result("attach", ATTACH(socket, END));
	say_result("attach what is none", attach_to(socket, 0, 0));
	say_result("detach", setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none));
}

static void filtered_streams(void)
{
	int waiting = listener(4), none = 0, pair[2];
	say_result("nobody", ATTACH(waiting, BPF_STMT(BPF_RET | BPF_K, 0)));
	int one = socket(family(), SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_storage to;
	socklen_t length = address_of(&to, 0, port_of(waiting));
	say_result("connect", connect(one, (void *)&to, length));
	usleep(100000);
	say_events("nobody answers", one);
	/* The first byte is "n" of segments that are dropped. */
	say_result("some", ATTACH(waiting, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 40, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 32), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'n', 0, 1), BPF_STMT(BPF_RET | BPF_K, 0), END));
	await(one, POLLOUT);
	say_events("answered", one);
	int other = accept(waiting, 0, 0);
	socklen_t count = 0;
	say_result("inherited", getsockopt(other, SOL_SOCKET, SO_GET_FILTER, 0, &count));
	printf("%d\n", count);
	char bytes[100] = "yes";
	send(one, bytes, 50, 0);
	await(other, POLLIN);
	say_result("passes", recv(other, bytes, sizeof bytes, MSG_DONTWAIT));
	send(one, "nobody needs it", 15, 0);
	usleep(50000);
	say_result("does not", recv(other, bytes, sizeof bytes, MSG_DONTWAIT));
	say_result("detach", setsockopt(other, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none));
	await(other, POLLIN);
	say_result("comes again", recv(other, bytes, sizeof bytes, MSG_DONTWAIT));
	close(one);
	close(other);
	close(waiting);
}

static void seen(const char *what, int socket)
{
	char bytes[4096];
	long length;
	printf("%d %s:", version, what);
	while ((length = recv(socket, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC)) >= 0)
		printf(" %ld", length);
	puts("");
}

/* Datagrams to two ports, of which the filter of each socket takes those to one. */
static void filtered_frames(int sender)
{
	int header = version == 4 ? 20 : 40;
	int raw = socket(family(), SOCK_RAW, IPPROTO_UDP);
	int frames = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	int cooked = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
	struct sockaddr_ll name = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = 1 };
	say_result("bind", bind(frames, (void *)&name, sizeof name));
	say_result("bind", bind(cooked, (void *)&name, sizeof name));
	say_result("raw", ATTACH(raw, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (version == 4 ? header : 0) + 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PORT, 0, 1), END, BPF_STMT(BPF_RET | BPF_K, 0)));
	say_result("frames", ATTACH(frames, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, version == 4 ? 0x800 : 0x86dd, 0, 5), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 3, 0), BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 14 + header + 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PORT, 0, 1), BPF_STMT(BPF_RET | BPF_K, 80), BPF_STMT(BPF_RET | BPF_K, 0)));
	say_result("cooked", ATTACH(cooked, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, SKF_LL_OFF + 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, version == 4 ? 0x800 : 0x86dd, 0, 5), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 3), BPF_STMT(BPF_LD | BPF_H | BPF_ABS, SKF_NET_OFF + header + 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PORT, 0, 1), TOLD, BPF_STMT(BPF_RET | BPF_K, 0)));
	char bytes[1000] = { 0 };
	struct sockaddr_storage to;
	for (int index = 0; index < 4; index++) {
		socklen_t length = address_of(&to, 0, PORT + index % 2);
		sendto(sender, bytes, 100 + 200 * index, 0, (void *)&to, length);
	}
	usleep(20000);
	seen("raw", raw);
	seen("frames", frames);
	seen("cooked", cooked);
	close(raw);
	close(frames);
	close(cooked);
}

static void filters(void)
{
	struct sockaddr_storage name;
	int receiver = socket(family(), SOCK_DGRAM, 0);
	int sender = socket(family(), SOCK_DGRAM, 0);
	socklen_t length = address_of(&name, 0, PORT);
	say_result("bind", bind(receiver, (void *)&name, length));
	refused_programs(receiver);
	loads(receiver, sender);
	locks(receiver);
	filtered_frames(sender);
	close(receiver);
	close(sender);
	filtered_streams();
}
