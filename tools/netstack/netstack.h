/* The network stack of kernel/net, unchanged, as a library (out/netstack/libnetstack.so, `dotnet build tools/netstack`): nodes that are
 * given frames and the time and give frames back, and a socket interface. Nothing in it waits, reads a clock, starts a thread or allocates:
 * equal calls with equal seeds give equal frames. Nodes share nothing; one thread at a time calls into the library.
 *
 * Times are nanoseconds of one clock that never goes back. Results below 0 are minus Linux's errno values; what cannot be done now is
 * -EAGAIN, and a connection that begins is -EINPROGRESS. docs/network.md, "From outside, as a library", is a walk. */
#ifndef LEGO_NETSTACK_H
#define LEGO_NETSTACK_H

#include <stdint.h>

typedef struct lego_node lego_node;

/* One end: an address in network order (IPv4 as ::ffff:a.b.c.d), a port in the host's order, and the interface of a link-local address
 * (the loopback is 1, the card 2; else 0). */
typedef struct {
    uint8_t address[16];
    uint16_t port;
    uint32_t scope;
} lego_address;

/* ---- nodes ---- */

/* A node with one Ethernet card in a block of memory of at least 4 MB that begins at a multiple of 4096; the node ends when the caller
 * frees the block. NULL: the block is too small or not aligned, or the MTU is not one of 1280 to 65535. */
lego_node *lego_node_create(void *memory, uint64_t bytes, const uint8_t hardware_address[6], uint32_t mtu, uint64_t seed, uint64_t now_ns);

/* Gives the card an address (port and scope are not looked at). An IPv6 address is used once duplicate address detection is over: see
 * lego_node_advance. */
int lego_node_add_address(lego_node *node, const lego_address *address, uint32_t prefix_bits, uint64_t now_ns);

/* The way to everywhere else. */
int lego_node_set_router(lego_node *node, const lego_address *router, uint64_t now_ns);

/* The card's cable. */
void lego_node_set_carrier(lego_node *node, int has_carrier, uint64_t now_ns);

/* A frame arrives, from the Ethernet header on, without a checksum sequence. */
void lego_node_input(lego_node *node, const void *frame, uint32_t bytes, uint64_t now_ns);

/* Takes the oldest frame that the node has sent: its length; 0: there is none; minus its length: the buffer is too small, and it stays. A
 * megabyte of frames that nobody has taken is a card that has no room. */
int lego_node_output(lego_node *node, void *buffer, uint32_t capacity);

/* Lets time go by: timers that are due on the way fire at their time. */
void lego_node_advance(lego_node *node, uint64_t now_ns);

/* When lego_node_advance has something to do; UINT64_MAX: not before something else happens. May be early. */
uint64_t lego_node_deadline(lego_node *node);

/* All counters as lines "name value\n" (net.*, tcp.*): the length of the text, which ends before a line that does not fit. */
uint32_t lego_node_counters(lego_node *node, char *text, uint32_t capacity);

/* ---- sockets: numbers from 0 on, 4096 a node ---- */

enum { LEGO_STREAM = 1, LEGO_DATAGRAM = 2, LEGO_RAW = 3 };
enum { LEGO_MSG_OOB = 1, LEGO_MSG_PEEK = 2, LEGO_MSG_MORE = 0x8000 };

/* version: 4 or 6. protocol: 0 for TCP and UDP; 1 (58 over IPv6) with LEGO_DATAGRAM is ping; with LEGO_RAW any. */
int lego_socket(lego_node *node, int version, int type, int protocol, uint64_t now_ns);
int lego_bind(lego_node *node, int socket, const lego_address *local);
int lego_listen(lego_node *node, int socket, int backlog);

/* The new connection's number. */
int lego_accept(lego_node *node, int socket, uint64_t now_ns);
int lego_connect(lego_node *node, int socket, const lego_address *remote, uint64_t now_ns);

/* How many bytes were taken. to: of datagrams, may be NULL. */
int64_t lego_send(lego_node *node, int socket, const void *bytes, uint32_t length, int flags, const lego_address *to, uint64_t now_ns);

/* How many bytes there were; 0: the end of the stream. from: of datagrams, may be NULL. */
int64_t lego_receive(lego_node *node, int socket, void *buffer, uint32_t capacity, int flags, lego_address *from, uint64_t now_ns);

/* how: SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2. */
int lego_shutdown(lego_node *node, int socket, int how, uint64_t now_ns);

/* The number is free afterwards; the connection finishes by itself, or, with resets, by a reset at once (SO_LINGER with 0). */
int lego_close(lego_node *node, int socket, int resets, uint64_t now_ns);

/* Options of streams, in the order of kernel/net/tcp/TcpInfo.cs's TcpOption, and switches. */
enum {
    LEGO_TCP_NODELAY, LEGO_TCP_CORK, LEGO_SO_KEEPALIVE, LEGO_TCP_KEEPIDLE, LEGO_TCP_KEEPINTVL, LEGO_TCP_KEEPCNT, LEGO_TCP_USER_TIMEOUT,
    LEGO_TCP_MAXSEG, LEGO_TCP_SYNCNT, LEGO_TCP_WINDOW_CLAMP, LEGO_TCP_LINGER2, LEGO_TCP_QUICKACK, LEGO_SO_SNDBUF, LEGO_SO_RCVBUF,
    LEGO_TCP_CONGESTION, /* 0 CUBIC, 1 NewReno */
    LEGO_SO_REUSEADDR = 100, LEGO_SO_REUSEPORT, LEGO_SO_OOBINLINE, LEGO_IPV6_V6ONLY,
};
int lego_set_option(lego_node *node, int socket, int option, int value, uint64_t now_ns);
int lego_get_option(lego_node *node, int socket, int option);

/* What a call would find. */
enum { LEGO_READABLE = 1, LEGO_WRITABLE = 2, LEGO_PEER_CLOSED = 4, LEGO_HUNG_UP = 8, LEGO_ERROR = 16, LEGO_URGENT = 32 };
int lego_poll(lego_node *node, int socket);

/* The errno that waits, which is then taken; 0: none. */
int lego_take_error(lego_node *node, int socket);

/* RFC 9293's states by Linux's numbers; of datagrams: connected or not. */
enum {
    LEGO_ESTABLISHED = 1, LEGO_SYN_SENT, LEGO_SYN_RECEIVED, LEGO_FIN_WAIT_1, LEGO_FIN_WAIT_2, LEGO_TIME_WAIT, LEGO_CLOSED, LEGO_CLOSE_WAIT,
    LEGO_LAST_ACK, LEGO_LISTEN, LEGO_CLOSING,
};
int lego_state(lego_node *node, int socket);

/* Both ends; either pointer may be NULL. */
int lego_names(lego_node *node, int socket, lego_address *local, lego_address *remote);

/* What is known of a connection as lines "name value\n" (cwnd, rto_ns, retransmits and others): the length of the text. */
int lego_info(lego_node *node, int socket, char *text, uint32_t capacity, uint64_t now_ns);

#endif
