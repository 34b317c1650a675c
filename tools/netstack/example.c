/* Two nodes joined by a wire that takes a millisecond: one greets the other over TCP. Prints each frame that is on the wire. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netstack.h"

#define BYTES (16u << 20)
#define MILLISECOND 1000000ull

static lego_node *nodes[2];
static uint64_t now = 1000 * MILLISECOND;

static lego_address v4(unsigned last, unsigned port) {
    lego_address address = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, (uint8_t)last }, (uint16_t)port, 0 };
    return address;
}

/* Lets a millisecond pass, and carries what was sent. */
static void carry(void) {
    static uint8_t frame[65536];
    now += MILLISECOND;
    for (int from = 0; from < 2; from++) {
        lego_node_advance(nodes[from], now);
        for (int length; (length = lego_node_output(nodes[from], frame, sizeof frame)) > 0;) {
            if (frame[12] == 8 && frame[13] == 0 && frame[23] == 6) {
                printf("%llu ms: %d -> %d, TCP flags %02x, %d bytes\n",
                    (unsigned long long)(now / MILLISECOND), from, 1 - from, frame[47], length);
            }
            lego_node_input(nodes[1 - from], frame, (uint32_t)length, now);
        }
    }
}

int main(void) {
    for (int index = 0; index < 2; index++) {
        uint8_t hardware[6] = { 2, 0, 0, 0, 0, (uint8_t)(index + 1) };
        lego_address own = v4((unsigned)index + 1, 0);
        nodes[index] = lego_node_create(aligned_alloc(4096, BYTES), BYTES, hardware, 1500, 42 + (uint64_t)index, now);
        lego_node_add_address(nodes[index], &own, 24, now);
    }

    lego_address server = v4(2, 80);
    int listener = lego_socket(nodes[1], 4, LEGO_STREAM, 0, now);
    lego_bind(nodes[1], listener, &server);
    lego_listen(nodes[1], listener, 8);

    int client = lego_socket(nodes[0], 4, LEGO_STREAM, 0, now);
    printf("connect: %d\n", lego_connect(nodes[0], client, &server, now));
    while (lego_state(nodes[0], client) != LEGO_ESTABLISHED) {
        carry();
    }

    int accepted;
    while ((accepted = lego_accept(nodes[1], listener, now)) < 0) {
        carry();
    }

    lego_send(nodes[0], client, "hello", 5, 0, NULL, now);
    lego_close(nodes[0], client, 0, now);
    char text[16];
    int64_t length;
    while ((length = lego_receive(nodes[1], accepted, text, sizeof text, 0, NULL, now)) < 0) {
        carry();
    }

    printf("received: %.*s\n", (int)length, text);
    lego_close(nodes[1], accepted, 0, now);
    for (int step = 0; step < 100; step++) {
        carry();
    }

    static char counters[16384];
    counters[lego_node_counters(nodes[0], counters, sizeof counters - 1)] = 0;
    char *line = strstr(counters, "tcp.time_wait ");
    printf("%.*s\n", (int)strcspn(line, "\n"), line);
    return 0;
}
