/* SPDX-License-Identifier: MPL-2.0
 *
 * Sends a file to a host or a group: send ADDRESS PORT FILE */
#include <arpa/inet.h>
#include <flute.h>
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
    if (argc != 4) return fprintf(stderr, "usage: %s ADDRESS PORT FILE\n", argv[0]), 2;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(argv[2])) };
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    if (udp < 0 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || connect(udp, (void *) &to, sizeof to) < 0)
        return perror(argv[1]), 1;

    FluteSenderConfig config;
    check(flute_sender_config_default(&config));
    config.fec = FLUTE_FEC_REED_SOLOMON;
    config.repair_percent = 20;
    config.seed = now();
    FluteSender *sender;
    check(flute_sender_new(&config, now(), &sender));
    check(flute_sender_add_file(sender, argv[3], "application/octet-stream", argv[3], now(), NULL));
    check(flute_sender_finish(sender, now()));

    FluteBatch batch;
    do {
        check(flute_sender_poll(sender, now(), &batch));
        if (batch.poll == FLUTE_POLL_PACKETS || batch.poll == FLUTE_POLL_WAIT)
            for (uint64_t time; (time = now()) < batch.due;)
                usleep((useconds_t) ((batch.due - time) / 1000 + 1));
        for (size_t sent = 0; sent < batch.length; sent += batch.packet_size) {
            size_t left = batch.length - sent;
            /* What the network has no room for is lost, as on any way to a receiver. */
            (void) !send(udp, batch.packets + sent, left < batch.packet_size ? left : batch.packet_size, 0);
        }
    } while (batch.poll != FLUTE_POLL_DONE);
    flute_sender_free(sender);
    return close(udp);
}
