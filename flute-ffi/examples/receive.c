/* SPDX-License-Identifier: MPL-2.0
 *
 * Prints the objects of a session that comes to an address of this machine or to a group: receive ADDRESS PORT */
#include <arpa/inet.h>
#include <flute.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t) time.tv_sec * 1000000000 + (uint64_t) time.tv_nsec;
}

static void check(FluteStatus status) {
    if (status == FLUTE_STATUS_OK) return;
    fprintf(stderr, "%s\n", flute_last_error());
    exit(1);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: %s ADDRESS PORT\n", argv[0]), 2;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(argv[2])) };
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    if (udp < 0 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1 || bind(udp, (void *) &at, sizeof at) < 0)
        return perror(argv[1]), 1;
    struct ip_mreq group = { .imr_multiaddr = at.sin_addr };
    if (IN_MULTICAST(ntohl(at.sin_addr.s_addr))
        && setsockopt(udp, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) < 0) return perror("joining"), 1;
    setsockopt(udp, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval) { .tv_usec = 100000 }, sizeof(struct timeval));
    fprintf(stderr, "listening\n");

    FluteReceiverConfig config;
    check(flute_receiver_config_default(&config));
    FluteReceiver *receiver;
    check(flute_receiver_new(&config, &receiver));
    static uint8_t datagram[65536];
    for (bool ended = false; !ended;) {
        ssize_t length = recv(udp, datagram, sizeof datagram, 0);
        if (length >= 0) check(flute_receiver_push(receiver, NULL, datagram, (size_t) length, now()));
        uint64_t deadline;
        while (check(flute_receiver_next_deadline(receiver, &deadline)), deadline <= now())
            check(flute_receiver_handle_timeout(receiver, now()));
        FluteEvent event;
        while (check(flute_receiver_next_event(receiver, &event)), event.kind != FLUTE_EVENT_KIND_NONE) {
            if (event.kind == FLUTE_EVENT_KIND_OBJECT_RECEIVED) {
                fprintf(stderr, "%s: %zu bytes\n", event.location, event.content_length);
                fwrite(event.content, 1, event.content_length, stdout);
            }
            if (event.kind == FLUTE_EVENT_KIND_OBJECT_LOST) fprintf(stderr, "%s: %s\n", event.location, event.reason);
            ended |= event.kind == FLUTE_EVENT_KIND_SESSION_CLOSED;
        }
    }
    flute_receiver_free(receiver);
    return close(udp);
}
