/* SPDX-License-Identifier: MPL-2.0
 *
 * FLUTE (RFC 6726, RFC 3926) sender and receiver. README.md of flute-ffi says how they are used.
 *
 * This file is made of the sources: FLUTE_UPDATE_HEADER=1 cargo test -p flute-ffi header
 */

#ifndef FLUTE_H
#define FLUTE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/**
 * How a call ended.
 */
typedef enum FluteStatus {
  /**
   * As it should.
   */
  FLUTE_STATUS_OK = 0,
  /**
   * An argument is a null pointer that must not be one, no UTF-8, or a number that does not exist.
   */
  FLUTE_STATUS_ARGUMENT = 1,
  /**
   * The settings do not exist or do not go together.
   */
  FLUTE_STATUS_CONFIG = 2,
  /**
   * The object cannot be sent like this; the session goes on without it.
   */
  FLUTE_STATUS_OBJECT = 3,
  /**
   * A file cannot be read.
   */
  FLUTE_STATUS_FILE = 4,
  /**
   * A mistake of this library. The handle can only be freed.
   */
  FLUTE_STATUS_PANIC = 5,
} FluteStatus;

/**
 * What has happened.
 */
typedef enum FluteEventKind {
  /**
   * Nothing more has happened.
   */
  FLUTE_EVENT_KIND_NONE = 0,
  /**
   * The first packet of a session arrived.
   */
  FLUTE_EVENT_KIND_SESSION_OPENED = 1,
  /**
   * The session was closed: by its sender, if `by_sender` is true.
   */
  FLUTE_EVENT_KIND_SESSION_CLOSED = 2,
  /**
   * An object is described, and a symbol of it has arrived.
   */
  FLUTE_EVENT_KIND_OBJECT_STARTED = 3,
  /**
   * An object is complete, decoded, and its digest is right: `content`.
   */
  FLUTE_EVENT_KIND_OBJECT_RECEIVED = 4,
  /**
   * An object is lost: `reason`.
   */
  FLUTE_EVENT_KIND_OBJECT_LOST = 5,
} FluteEventKind;

/**
 * What a poll found.
 */
typedef enum FlutePoll {
  /**
   * Packets, to be sent at the time `due`; poll again.
   */
  FLUTE_POLL_PACKETS = 0,
  /**
   * Nothing before the time `due`.
   */
  FLUTE_POLL_WAIT = 1,
  /**
   * Nothing to send until something is added.
   */
  FLUTE_POLL_IDLE = 2,
  /**
   * The session was finished, and its last packet has been given out.
   */
  FLUTE_POLL_DONE = 3,
} FlutePoll;

/**
 * How objects are protected.
 */
typedef enum FluteFec {
  /**
   * Not at all: FEC Encoding ID 0.
   */
  FLUTE_FEC_NONE = 0,
  /**
   * Raptor (RFC 5053).
   */
  FLUTE_FEC_RAPTOR = 1,
  /**
   * Reed-Solomon over GF(2^8) (RFC 5510).
   */
  FLUTE_FEC_REED_SOLOMON = 5,
  /**
   * RaptorQ (RFC 6330).
   */
  FLUTE_FEC_RAPTOR_Q = 6,
} FluteFec;

/**
 * A receiver of any number of sessions.
 */
typedef struct FluteReceiver FluteReceiver;

/**
 * A sender of one session.
 */
typedef struct FluteSender FluteSender;

/**
 * Settings of a receiver. Let flute_receiver_config_default fill it, and set what differs.
 */
typedef struct FluteReceiverConfig {
  /**
   * The session to take, if `any_tsi` is false.
   */
  uint64_t tsi;
  /**
   * Take any session.
   */
  bool any_tsi;
  /**
   * Bytes that are kept on behalf of a session, content included.
   */
  uint64_t max_memory;
  /**
   * Nanoseconds of silence after which a session is closed.
   */
  uint64_t session_timeout;
} FluteReceiverConfig;

/**
 * Where a datagram came from.
 */
typedef struct FluteAddress {
  /**
   * The IP address as it is on the wire; of IPv4 the first four bytes.
   */
  uint8_t ip[16];
  /**
   * 4 or 6.
   */
  uint8_t ip_version;
  /**
   * UDP port.
   */
  uint16_t port;
} FluteAddress;

/**
 * Transport Object Identifier: up to 112 bits, in two halves.
 */
typedef struct FluteToi {
  /**
   * The upper 48 bits.
   */
  uint64_t high;
  /**
   * The lower 64 bits.
   */
  uint64_t low;
} FluteToi;

/**
 * Something that has happened. What it points to is there until the next call with this receiver.
 */
typedef struct FluteEvent {
  /**
   * What it is.
   */
  enum FluteEventKind kind;
  /**
   * Transport Session Identifier.
   */
  uint64_t tsi;
  /**
   * Of an object, its TOI.
   */
  struct FluteToi toi;
  /**
   * Of an object, its Content-Location; empty otherwise.
   */
  const char *location;
  /**
   * Of an object, its Content-Type, or NULL.
   */
  const char *content_type;
  /**
   * Of an object that was received, its bytes.
   */
  const uint8_t *content;
  /**
   * How many they are.
   */
  size_t content_length;
  /**
   * Of an object that is lost, why; empty otherwise.
   */
  const char *reason;
  /**
   * Of a session that was closed, whether its sender did it.
   */
  bool by_sender;
} FluteEvent;

/**
 * Settings of a sender. Let flute_sender_config_default fill it, and set what differs.
 */
typedef struct FluteSenderConfig {
  /**
   * Transport Session Identifier, up to 48 bits.
   */
  uint64_t tsi;
  /**
   * Bits per second on the wire with headers of UDP and IPv4; 0 is as fast as packets are taken.
   */
  uint64_t bitrate;
  /**
   * How objects are protected: one of FluteFec.
   */
  uint32_t fec;
  /**
   * Bytes of a symbol.
   */
  uint16_t symbol_size;
  /**
   * Source symbols of a block at most; 0 is what suits the code.
   */
  uint32_t max_source_block_length;
  /**
   * Repair symbols in percent of the source symbols.
   */
  double repair_percent;
  /**
   * A random number, of which the first TOI is made: so receivers tell this session from an earlier one.
   */
  uint64_t seed;
} FluteSenderConfig;

/**
 * Packets one after the other, all of one size but the last, which may be shorter.
 */
typedef struct FluteBatch {
  /**
   * What the poll found.
   */
  enum FlutePoll poll;
  /**
   * The first packet. It is there until the next call with this sender.
   */
  const uint8_t *packets;
  /**
   * Bytes of all packets.
   */
  size_t length;
  /**
   * Bytes of each packet but the last.
   */
  size_t packet_size;
  /**
   * When the packets are to be sent, or when to poll again, in nanoseconds since 1970.
   */
  uint64_t due;
} FluteBatch;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Fills in the defaults: any session, 256 MiB, five minutes.
 *
 * # Safety
 * `config` points to a FluteReceiverConfig, or is NULL.
 */
enum FluteStatus flute_receiver_config_default(struct FluteReceiverConfig *config);

/**
 * Makes a receiver, which delivers objects in memory. It is to be freed by flute_receiver_free.
 *
 * # Safety
 * `config` and `receiver` point to what their types say, or are NULL.
 */
enum FluteStatus flute_receiver_new(const struct FluteReceiverConfig *config, struct FluteReceiver **receiver);

/**
 * Frees a receiver. NULL is left alone.
 *
 * # Safety
 * `receiver` is NULL, or of flute_receiver_new and not freed yet; and nobody uses it any more.
 */
void flute_receiver_free(struct FluteReceiver *receiver);

/**
 * Takes a datagram that arrived at `now`, in nanoseconds since 1970. What is wrong with it is no error. `source` may be
 * NULL; then sessions are told apart by their TSI alone.
 *
 * # Safety
 * `receiver` is NULL or of flute_receiver_new, `source` NULL or an address, and `datagram` points to so many bytes.
 */
enum FluteStatus flute_receiver_push(struct FluteReceiver *receiver,
                                     const struct FluteAddress *source,
                                     const uint8_t *datagram,
                                     size_t length,
                                     uint64_t now);

/**
 * When flute_receiver_handle_timeout has something to do, in nanoseconds since 1970: UINT64_MAX if that is never, and a
 * time that is past while there is work that one call did not finish.
 *
 * # Safety
 * `receiver` is NULL or of flute_receiver_new, and `deadline` is NULL or points to a number.
 */
enum FluteStatus flute_receiver_next_deadline(struct FluteReceiver *receiver, uint64_t *deadline);

/**
 * Does what is due without a datagram.
 *
 * # Safety
 * `receiver` is NULL or of flute_receiver_new.
 */
enum FluteStatus flute_receiver_handle_timeout(struct FluteReceiver *receiver, uint64_t now);

/**
 * No more datagrams will come: objects that are not complete are lost, and sessions are closed.
 *
 * # Safety
 * `receiver` is NULL or of flute_receiver_new.
 */
enum FluteStatus flute_receiver_finish(struct FluteReceiver *receiver, uint64_t now);

/**
 * Tells the next thing that has happened; its kind is FLUTE_EVENT_KIND_NONE if there is none.
 *
 * # Safety
 * `receiver` is NULL or of flute_receiver_new, and `event` is NULL or points to a FluteEvent.
 */
enum FluteStatus flute_receiver_next_event(struct FluteReceiver *receiver, struct FluteEvent *event);

/**
 * Fills in the defaults: TSI 1, 20 Mbit/s, no FEC, symbols of 1400 bytes.
 *
 * # Safety
 * `config` points to a FluteSenderConfig, or is NULL.
 */
enum FluteStatus flute_sender_config_default(struct FluteSenderConfig *config);

/**
 * Makes a sender, whose session begins at `now`, in nanoseconds since 1970. It is to be freed by flute_sender_free.
 *
 * # Safety
 * `config` and `sender` point to what their types say, or are NULL.
 */
enum FluteStatus flute_sender_new(const struct FluteSenderConfig *config, uint64_t now, struct FluteSender **sender);

/**
 * Frees a sender. NULL is left alone.
 *
 * # Safety
 * `sender` is NULL, or of flute_sender_new and not freed yet; and nobody uses it any more.
 */
void flute_sender_free(struct FluteSender *sender);

/**
 * Adds an object with these bytes, of which a copy is made. `content_type` and `toi` may be NULL; `toi` is told the
 * identifier of the object.
 *
 * # Safety
 * Pointers that are not NULL point to what their types say, `location` and `content_type` to texts that end with NUL, and
 * `bytes` to so many bytes.
 */
enum FluteStatus flute_sender_add_bytes(struct FluteSender *sender,
                                        const char *location,
                                        const char *content_type,
                                        const uint8_t *bytes,
                                        size_t length,
                                        uint64_t now,
                                        struct FluteToi *toi);

/**
 * Adds a file, which is read while it is sent. `content_type` and `toi` may be NULL.
 *
 * # Safety
 * Pointers that are not NULL point to what their types say, texts end with NUL.
 */
enum FluteStatus flute_sender_add_file(struct FluteSender *sender,
                                       const char *location,
                                       const char *content_type,
                                       const char *path,
                                       uint64_t now,
                                       struct FluteToi *toi);

/**
 * Stops sending an object, and describes it no more; nothing if there is no such object.
 *
 * # Safety
 * `sender` is NULL or of flute_sender_new.
 */
enum FluteStatus flute_sender_remove(struct FluteSender *sender, struct FluteToi toi, uint64_t now);

/**
 * No more objects will be added: what is on its way is sent, and the session closed.
 *
 * # Safety
 * `sender` is NULL or of flute_sender_new.
 */
enum FluteStatus flute_sender_finish(struct FluteSender *sender, uint64_t now);

/**
 * Finds out what is to be sent.
 *
 * # Safety
 * `sender` is NULL or of flute_sender_new, `batch` is NULL or points to a FluteBatch.
 */
enum FluteStatus flute_sender_poll(struct FluteSender *sender, uint64_t now, struct FluteBatch *batch);

/**
 * The text of the last error of this thread: what was wrong, and what to do. It is there until the next error of the
 * thread, and empty before the first.
 */
const char *flute_last_error(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FLUTE_H */
