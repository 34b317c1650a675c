/*
 * socket-memory: connections of a process with itself whose buffers together are more than a small machine has for sockets. Writes that
 * do not wait come to their end, one that waits ends when others are read, and each byte arrives. Prints one line per finding, the same
 * on any Linux host and on a rack.
 *
 * gcc -O2 -static -w -o socket-memory socket-memory.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "results.h"

enum { Pairs = 300, BlockBytes = 4096, MostBlocks = 64, WaitingBlocks = 100, LimitMs = 60000 };

static int from[Pairs], to[Pairs];
static long written[Pairs], heard[Pairs];

/* The byte at a position of a connection. */
static unsigned char byte_of(int pair, long position)
{
	return (unsigned char)(pair * 7 + position % 251);
}

static const char *block_of(int pair, long position)
{
	static char block[BlockBytes];
	for (int i = 0; i < BlockBytes; i++)
		block[i] = byte_of(pair, position + i);
	return block;
}

static void connect_all(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof name;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(listener, (void *)&name, sizeof name);
	listen(listener, 8);
	getsockname(listener, (void *)&name, &length);
	for (int i = 0; i < Pairs; i++) {
		from[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(from[i], (void *)&name, sizeof name) < 0 || (to[i] = accept(listener, 0, 0)) < 0) {
			printf("connect: %s\n", error_of(-1));
			exit(1);
		}
	}
}

/* Writes without waiting: what has been taken, at most MostBlocks. */
static void fill(int pair)
{
	ssize_t count = 1;
	while (count > 0 && written[pair] < (long)MostBlocks * BlockBytes) {
		count = send(from[pair], block_of(pair, written[pair]), BlockBytes, MSG_DONTWAIT);
		written[pair] += count > 0 ? count : 0;
	}
	if (count < 0 && errno != EAGAIN)
		printf("fill: %s\n", error_of(-1));
}

/* Takes what is there; 0: something was wrong. */
static int hear(int pair)
{
	unsigned char block[BlockBytes];
	ssize_t count;
	while ((count = recv(to[pair], block, sizeof block, MSG_DONTWAIT)) > 0)
		for (ssize_t i = 0; i < count; i++)
			if (block[i] != byte_of(pair, heard[pair]++))
				return 0;
	return count < 0 && errno == EAGAIN;
}

int main(void)
{
	int right = 1, waiting = 0;
	setvbuf(stdout, 0, _IOLBF, 0);
	connect_all();
	for (int i = 0; i < Pairs; i++)
		fill(i);
	printf("filled\n");

	pid_t writer = fork();
	if (writer == 0) {
		for (int i = 0; i < WaitingBlocks; i++)
			if (write(from[0], block_of(0, written[0] + (long)i * BlockBytes), BlockBytes) != BlockBytes)
				_exit(1);
		_exit(0);
	}
	written[0] += (long)WaitingBlocks * BlockBytes;
	for (int i = 0; i < Pairs && right; i++) {
		struct pollfd wanted = { to[i], POLLIN, 0 };
		while (right && heard[i] < written[i]) {
			if (poll(&wanted, 1, LimitMs) != 1)
				printf("connection %d: %ld of %ld\n", i, heard[i], written[i]), exit(1);
			right = hear(i);
		}
	}
	printf("heard: %s\n", right ? "all" : "something else");
	printf("writer: %d\n", wait_for(writer));
	return 0;
}
