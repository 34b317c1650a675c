/*
 * udp-echo: sends every datagram back to its sender, until it is ended; prints "bound" when it can be reached (RFC 862).
 *
 * gcc -O2 -static -o udp-echo udp-echo.c
 * usage: udp-echo PORT
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int count, char **arguments)
{
	static char datagram[65536];
	struct sockaddr_in address = { .sin_family = AF_INET };
	int endpoint = socket(AF_INET, SOCK_DGRAM, 0);

	if (count != 2)
		return 2;
	address.sin_port = htons(atoi(arguments[1]));
	if (bind(endpoint, (struct sockaddr *)&address, sizeof address) != 0) {
		perror("bind");
		return 1;
	}
	puts("bound");
	fflush(stdout);
	for (;;) {
		struct sockaddr_in peer;
		socklen_t length = sizeof peer;
		ssize_t bytes = recvfrom(endpoint, datagram, sizeof datagram, 0, (struct sockaddr *)&peer, &length);

		if (bytes < 0 || sendto(endpoint, datagram, bytes, 0, (struct sockaddr *)&peer, length) != bytes) {
			perror("echo");
			return 1;
		}
	}
}
