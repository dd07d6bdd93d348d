/*
 * twinguard 0.1.0: a security module on Azure IoT Hub. The C API.
 *
 * Made from the Rust sources of this library; do not edit.
 *
 * A CLIENT, IN SHORT
 *
 *   twinguard_options *options = NULL;
 *   twinguard_client *client = NULL;
 *   twinguard_error *error = NULL;
 *   if (twinguard_options_new(twinguard_str_c(connection_string), &options, &error) == TWINGUARD_OK &&
 *       twinguard_client_new(&options, &client, &error) == TWINGUARD_OK &&
 *       twinguard_client_connect(client, &error) == TWINGUARD_OK) {
 *     ... poll twinguard_client_event_fd(client), take events with twinguard_client_next_event() ...
 *   }
 *
 * LINKING
 *   Shared:  cc program.c -ltwinguard          (SONAME libtwinguard.so.0.1)
 *   Static:  cc program.c libtwinguard.a -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
 *
 * CALLS
 *   Parameters come in the order object, inputs, outputs (out_...), error. A fallible call returns a
 *   twinguard_status: 0 is TWINGUARD_OK, negative is failure. Outputs are written on success only.
 *   A const object may be used by several calls at once; any other needs exclusive use. NULL where
 *   it is not allowed, a wrong state and a wrong number are a status, never a crash. What stays the
 *   caller's duty: a pointer that is not NULL points at a live object of its type.
 *
 * ERRORS
 *   The last parameter, twinguard_error **error, may be NULL. Else every call writes it: NULL on
 *   success, on failure an object with the status, one line of text, the JSON pointer and the cause,
 *   to be freed with twinguard_error_free(). Free what an earlier call left there first.
 *
 * OBJECTS
 *   ..._new and out_... parameters give an object to the caller; ..._free takes it back, never fails
 *   and never blocks, and accepts NULL. A call that takes an object over has a parameter with two
 *   stars and sets the caller's pointer to NULL. What is borrowed lives as long as its owner.
 *
 * TEXT
 *   UTF-8 as pointer and length: TWINGUARD_STR("literal"), twinguard_str_c(pointer). Text that comes
 *   out is NUL-ended too, except inside a log function. Keys and tokens are wiped when they are
 *   freed and appear in no message, log record or error.
 *
 * THREADS
 *   Nothing runs before twinguard_client_connect(); then one I/O thread per runtime, and for a moment
 *   one for a name resolution or for saving to the store. They run no signal handler of the caller.
 *   The library handles no signal, reads no environment variable of its own, installs nothing global,
 *   and calls the caller only through the log sink.
 *   No function may be called from a signal handler unless it says so.
 *
 * LOG FUNCTION
 *   Runs on the thread that logs. It must not block, throw or longjmp. Calls on a client from inside
 *   give TWINGUARD_ERR_REENTRANT; calls on other objects are allowed. Its drop function runs once.
 *
 * FORK
 *   A client made before fork is of no use in the child: calls give TWINGUARD_ERR_FORKED, and only
 *   twinguard_client_free() remains.
 *
 * PANICS
 *   A fault inside the library becomes TWINGUARD_ERR_PANIC, and the object that was in use gives
 *   TWINGUARD_ERR_POISONED from then on; only freeing it remains. The text of the panic also goes to
 *   the standard error stream, because that is what the Rust runtime does by itself.
 *
 * VERSIONS
 *   Before 1.0 the ABI is kept within a minor version, from 1.0 on within a major one. Status numbers,
 *   event kinds and states may be added at any time; they are never renumbered or used again.
 */


#ifndef TWINGUARD_H
#define TWINGUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The version of this header; twinguard_version_number() has that of the library. */
#define TWINGUARD_VERSION_MAJOR 0
#define TWINGUARD_VERSION_MINOR 1
#define TWINGUARD_VERSION_PATCH 0
#define TWINGUARD_VERSION_STRING "0.1.0"
#define TWINGUARD_VERSION_NUMBER                                                                   \
  ((TWINGUARD_VERSION_MAJOR << 16) | (TWINGUARD_VERSION_MINOR << 8) | TWINGUARD_VERSION_PATCH)
/* Whether this header is of version major.minor.patch or later; for #if. */
#define TWINGUARD_VERSION_AT_LEAST(major, minor, patch)                                            \
  (TWINGUARD_VERSION_NUMBER >= (((major) << 16) | ((minor) << 8) | (patch)))

/* A result that must not be ignored. */
#if defined(__cplusplus) && __cplusplus >= 201703L
#define TWINGUARD_NODISCARD [[nodiscard]]
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L
#define TWINGUARD_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define TWINGUARD_NODISCARD __attribute__((warn_unused_result))
#else
#define TWINGUARD_NODISCARD
#endif

/**
 * The values of twinguard_status. Misuse from -1, authentication from -100, twin from -200, agent
 * settings from -300, network from -400, store from -500, the library itself from -900.
 */
enum twinguard_statuses
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /** Success. */
  TWINGUARD_OK = 0,
  /** A required argument is missing: it is NULL. */
  TWINGUARD_ERR_NULL_ARGUMENT = -1,
  /** An argument is outside its stated range. */
  TWINGUARD_ERR_INVALID_ARGUMENT = -2,
  /** Text is not valid UTF-8. */
  TWINGUARD_ERR_ENCODING = -3,
  /** Text is not the JSON that is wanted here. */
  TWINGUARD_ERR_JSON = -4,
  /** The module is closed. */
  TWINGUARD_ERR_CLOSED = -5,
  /** The call does not fit the state of the object. */
  TWINGUARD_ERR_WRONG_STATE = -6,
  /** The call would wait for the very thread it is made on. */
  TWINGUARD_ERR_REENTRANT = -7,
  /** The object belongs to the process before `fork`. */
  TWINGUARD_ERR_FORKED = -8,
  /** The time given for the call is over; the module goes on. */
  TWINGUARD_ERR_TIMEOUT = -9,
  /** The buffer of the caller is too small for the answer. */
  TWINGUARD_ERR_BUFFER_TOO_SMALL = -10,
  /** This build or this platform cannot do it. */
  TWINGUARD_ERR_UNSUPPORTED = -11,
  /** The connection string breaks its grammar. */
  TWINGUARD_ERR_CONNECTION_STRING = -100,
  /** The key is not a usable symmetric key. */
  TWINGUARD_ERR_KEY = -101,
  /** A root certificate given by the host cannot be used. */
  TWINGUARD_ERR_CERTIFICATE = -102,
  /** The hub refused the credential or the identity. */
  TWINGUARD_ERR_UNAUTHORIZED = -103,
  /** The token has expired and there is no key to make another. */
  TWINGUARD_ERR_TOKEN_EXPIRED = -104,
  /** The signer could not sign. */
  TWINGUARD_ERR_SIGNER = -105,
  /** A document breaks a limit of device twins. */
  TWINGUARD_ERR_TWIN_LIMIT = -200,
  /** The hub refused a reported document for good. */
  TWINGUARD_ERR_REPORTED_REFUSED = -201,
  /** The twin could not be read. */
  TWINGUARD_ERR_TWIN_READ = -202,
  /** The hub asks for fewer requests. */
  TWINGUARD_ERR_THROTTLED = -203,
  /** The options of the agent configuration contradict themselves. */
  TWINGUARD_ERR_AGENT_OPTIONS = -300,
  /** The host name could not be resolved. */
  TWINGUARD_ERR_DNS = -400,
  /** TCP: refused, unreachable, or another error of the system. */
  TWINGUARD_ERR_NETWORK = -401,
  /** The hub's certificate was not accepted. */
  TWINGUARD_ERR_PEER_CERTIFICATE = -402,
  /** TLS failed for another reason. */
  TWINGUARD_ERR_TLS = -403,
  /** The hub broke the protocol or refused the connection. */
  TWINGUARD_ERR_PROTOCOL = -404,
  /** The hub closed or reset the connection. */
  TWINGUARD_ERR_PEER_CLOSED = -405,
  /** The hub did not answer in time. */
  TWINGUARD_ERR_NETWORK_TIMEOUT = -406,
  /** The store's directory or file could not be read or written. */
  TWINGUARD_ERR_STORE_IO = -500,
  /** The stored file is not a record of this library or not of this module. */
  TWINGUARD_ERR_STORE_FOREIGN = -501,
  /** The stored record is cut short or damaged. */
  TWINGUARD_ERR_STORE_TORN = -502,
  /** The store is on a read-only file system. */
  TWINGUARD_ERR_STORE_READ_ONLY = -503,
  /** There is no room for the record. */
  TWINGUARD_ERR_STORE_FULL = -504,
  /** The store's permissions or owner are not safe, or do not let us in. */
  TWINGUARD_ERR_STORE_PERMISSIONS = -505,
  /** The stored record was written by a newer version. */
  TWINGUARD_ERR_STORE_VERSION = -506,
  /** Another client, perhaps of another process, uses the same directory. */
  TWINGUARD_ERR_STORE_LOCKED = -507,
  /** The library broke its own rules. */
  TWINGUARD_ERR_INTERNAL = -900,
  /** A panic was caught at the border. */
  TWINGUARD_ERR_PANIC = -901,
  /** The object is unusable because of an earlier panic. */
  TWINGUARD_ERR_POISONED = -902,
  /** The system gave no thread, descriptor or memory. */
  TWINGUARD_ERR_RESOURCES = -903,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twinguard_statuses twinguard_statuses;
#else
typedef int32_t twinguard_statuses;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** Where a module stands. New values may appear with any release. */
enum twinguard_states
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /** Made; not asked to connect yet. A stored configuration is already in force. */
  TWINGUARD_STATE_STARTING = 0,
  /** A connection is being opened. */
  TWINGUARD_STATE_CONNECTING = 1,
  /** Signed in; the first twin of this connection has not arrived yet. */
  TWINGUARD_STATE_WAITING_FOR_TWIN = 2,
  /** Signed in and in step with the twin. */
  TWINGUARD_STATE_RUNNING = 3,
  /** Not connected; the next attempt has a time. */
  TWINGUARD_STATE_DISCONNECTED = 4,
  /** Closed by the host; nothing follows. */
  TWINGUARD_STATE_CLOSED = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twinguard_states twinguard_states;
#else
typedef int32_t twinguard_states;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** What an event tells. New values may appear with any release: skip what you do not know. */
enum twinguard_event_kinds
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /** Not an event: the answer for NULL. */
  TWINGUARD_EVENT_NONE = 0,
  /** The state changed. */
  TWINGUARD_EVENT_STATE = 1,
  /** The desired document changed. */
  TWINGUARD_EVENT_DESIRED = 2,
  /** The agent configuration was evaluated with a new result. */
  TWINGUARD_EVENT_CONFIGURATION = 3,
  /** A reported document was taken or refused. */
  TWINGUARD_EVENT_REPORTED = 4,
  /** A read of the twin has ended. */
  TWINGUARD_EVENT_READ = 5,
  /** Something to know; the module goes on by itself. */
  TWINGUARD_EVENT_TROUBLE = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twinguard_event_kinds twinguard_event_kinds;
#else
typedef int32_t twinguard_event_kinds;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** How soon an event of the agent is sent. */
enum twinguard_priorities
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /** Not collected at all. */
  TWINGUARD_PRIORITY_OFF = 0,
  /** Within lowPriorityMessageFrequency. */
  TWINGUARD_PRIORITY_LOW = 1,
  /** Within highPriorityMessageFrequency. */
  TWINGUARD_PRIORITY_HIGH = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twinguard_priorities twinguard_priorities;
#else
typedef int32_t twinguard_priorities;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** The layout of the desired document. */
enum twinguard_profiles
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /** One section, every property wrapped as {"value": …}. */
  TWINGUARD_PROFILE_CURRENT = 0,
  /** One section, bare values: the first preview of the service, until July 2019. */
  TWINGUARD_PROFILE_LEGACY = 1,
  /** The micro agent's keys with bare values in the desired document itself. */
  TWINGUARD_PROFILE_MICRO_AGENT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twinguard_profiles twinguard_profiles;
#else
typedef int32_t twinguard_profiles;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** What a bad known property does to the good ones beside it. */
enum twinguard_acceptances
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /** It refuses the whole update; the configuration in force stays. The published rule. */
  TWINGUARD_ACCEPT_WHOLE = 0,
  /** Nothing: the good ones apply, and a bad one keeps the value in force. */
  TWINGUARD_ACCEPT_PER_PROPERTY = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twinguard_acceptances twinguard_acceptances;
#else
typedef int32_t twinguard_acceptances;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** What a document did to a twinguard_shadow. New values may appear with any release. */
enum twinguard_updates
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /** Another configuration or another status is in force; also the first good document. */
  TWINGUARD_UPDATE_APPLIED = 1,
  /** Neither changed. */
  TWINGUARD_UPDATE_UNCHANGED = 2,
  /** The document was refused as a whole; the configuration in force is what it was. */
  TWINGUARD_UPDATE_REJECTED = 3,
  /** Older than what is known; nothing was done. */
  TWINGUARD_UPDATE_IGNORED_STALE = 4,
  /** A patch is missing before this one; nothing was done. Get the full document. */
  TWINGUARD_UPDATE_RESYNC_REQUIRED = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twinguard_updates twinguard_updates;
#else
typedef int32_t twinguard_updates;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** What root certificates of the caller do to the bundled ones. */
enum twinguard_root_modes
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /** Both are trusted. */
  TWINGUARD_ROOTS_ADD = 0,
  /** Only the caller's are trusted. */
  TWINGUARD_ROOTS_REPLACE = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twinguard_root_modes twinguard_root_modes;
#else
typedef int32_t twinguard_root_modes;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** How much a log record matters. A sink gets the records of its level and of those above it. */
enum twinguard_log_levels
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /** Something does not work and will not by itself. */
  TWINGUARD_LOG_ERROR = 1,
  /** Something does not work; the module goes on trying. */
  TWINGUARD_LOG_WARN = 2,
  /** The steps of a life: connected, configuration in force, closed. */
  TWINGUARD_LOG_INFO = 3,
  /** What the module does, one line per step. */
  TWINGUARD_LOG_DEBUG = 4,
  /** Every packet, by its kind and size; never its content. */
  TWINGUARD_LOG_TRACE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twinguard_log_levels twinguard_log_levels;
#else
typedef int32_t twinguard_log_levels;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** Owned text: the result of a call that makes one. Wiped when freed. */
typedef struct twinguard_buf twinguard_buf;

/** A module client: signs in, follows the twin, evaluates the configuration, reports. */
typedef struct twinguard_client twinguard_client;

/**
 * The agent configuration in force, and what became of each property of the desired document.
 * Never changes: a new evaluation is a new object.
 */
typedef struct twinguard_configuration twinguard_configuration;

/** The detail of a failed call: status, one line for people, place and cause. */
typedef struct twinguard_error twinguard_error;

/** Something that happened, handed to the caller. Never changes. */
typedef struct twinguard_event twinguard_event;

/** Settings of a client, before it is made. */
typedef struct twinguard_options twinguard_options;

/** One I/O thread for any number of clients. */
typedef struct twinguard_runtime twinguard_runtime;

/** Desired document and agent configuration together, fed by hand. */
typedef struct twinguard_shadow twinguard_shadow;

/** A twin as it was known at one moment. Never changes. */
typedef struct twinguard_twin twinguard_twin;

/**
 * The result of a call: one of the numbers of twinguard_statuses. 0 is success, negative is
 * failure; positive numbers are kept for success with news. New numbers may appear with any
 * release, so a `switch` needs a default. A number is never changed or used again.
 */
typedef int32_t twinguard_status;

/**
 * Text as pointer and length, passed by value.
 *
 * As an argument: UTF-8, no NUL needed, readable until the call returns; make one with
 * TWINGUARD_STR("literal") or twinguard_str_c(pointer). `ptr` NULL with `len` 0 is the empty text.
 * As a result: borrowed from the object that gave it, NUL-ended with no NUL inside, so that `%s`
 * works; `ptr` is NULL when there is no such text.
 */
typedef struct twinguard_str {
  /** First byte; NULL when there is no text. */
  const char *ptr;
  /** Bytes, without the NUL. */
  size_t len;
} twinguard_str;

/**
 * Takes one log record: `level` of twinguard_log_levels, `target` the part of the library, `module`
 * as "device/module", `message` one line without secrets. The texts live until the function
 * returns and are not NUL-ended: print them with "%.*s". Called on the thread that logs, which may
 * be the library's own, and from several threads at once. It must not block, throw or longjmp;
 * calls on a client from inside give TWINGUARD_ERR_REENTRANT.
 */
typedef void (*twinguard_log_fn)(int32_t level,
                                 struct twinguard_str target,
                                 struct twinguard_str module,
                                 struct twinguard_str message,
                                 void *user_data);

/** Tells that the library is done with `user_data`. Called exactly once, on any thread. */
typedef void (*twinguard_drop_fn)(void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a shadow: an empty desired document, with the defaults in force.
 *
 * For a host that receives its twin by other means and wants the configuration only.
 *
 * @param[in] section  the member of the desired document to read; empty for the published name.
 * @param[in] acceptance  one of twinguard_acceptances.
 * @param[in] profile  one of twinguard_profiles.
 * @param[out] out_shadow  not NULL; the shadow, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the shadow is made.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_shadow` is NULL, or `section` is NULL with a length.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  `acceptance` or `profile` is none of its values.
 * @retval TWINGUARD_ERR_ENCODING  `section` is not UTF-8.
 * @note Ownership: the caller frees `*out_shadow` with twinguard_shadow_free().
 * @note Threads: from anywhere; the shadow may move between threads.
 * @since 0.1.0
 * @see twinguard_shadow_apply_full()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_shadow_new(struct twinguard_str section,
                                      int32_t acceptance,
                                      int32_t profile,
                                      struct twinguard_shadow **out_shadow,
                                      struct twinguard_error **error);

/**
 * Feeds a full desired document.
 *
 * The "desired" member of a twin, "$version" included: after each connect, or when a patch asks
 * for it with TWINGUARD_UPDATE_RESYNC_REQUIRED.
 *
 * @param[in] shadow  not NULL.
 * @param[in] document  a JSON object of at most 262144 bytes.
 * @param[out] out_update  may be NULL; one of twinguard_updates, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the document was looked at; `*out_update` says what it did.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `shadow` is NULL, or `document` is NULL with a length.
 * @retval TWINGUARD_ERR_ENCODING  `document` is not UTF-8.
 * @retval TWINGUARD_ERR_JSON  `document` is no JSON object, or "$version" is no whole number.
 * @retval TWINGUARD_ERR_TWIN_LIMIT  the document is too large.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `shadow` panicked.
 * @note Ownership: `document` is copied.
 * @note Threads: exclusive use of `shadow`.
 * @since 0.1.0
 * @see twinguard_shadow_configuration()
 */
twinguard_status twinguard_shadow_apply_full(struct twinguard_shadow *shadow,
                                             struct twinguard_str document,
                                             int32_t *out_update,
                                             struct twinguard_error **error);

/**
 * Feeds a desired notification.
 *
 * A merge patch (RFC 7396), "$version" included, as the hub sends it.
 *
 * @param[in] shadow  not NULL.
 * @param[in] patch  a JSON object of at most 262144 bytes.
 * @param[out] out_update  may be NULL; one of twinguard_updates, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the patch was looked at; `*out_update` says what it did.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `shadow` is NULL, or `patch` is NULL with a length.
 * @retval TWINGUARD_ERR_ENCODING  `patch` is not UTF-8.
 * @retval TWINGUARD_ERR_JSON  `patch` is no JSON object, or "$version" is no whole number.
 * @retval TWINGUARD_ERR_TWIN_LIMIT  the document would be too large.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `shadow` panicked.
 * @note Ownership: `patch` is copied.
 * @note Threads: exclusive use of `shadow`.
 * @since 0.1.0
 * @see twinguard_shadow_apply_full()
 */
twinguard_status twinguard_shadow_apply_patch(struct twinguard_shadow *shadow,
                                              struct twinguard_str patch,
                                              int32_t *out_update,
                                              struct twinguard_error **error);

/**
 * The configuration in force, and what became of each property.
 *
 * The result of the last document that was not stale; the defaults before the first.
 *
 * @param[in] shadow  not NULL.
 * @param[out] out_configuration  not NULL; written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  there it is.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `shadow` or `out_configuration` is NULL.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `shadow` panicked.
 * @note Ownership: the caller frees `*out_configuration` with twinguard_configuration_free(); it
 *       stays as it is when `shadow` changes or is freed.
 * @note Threads: together with other const calls on `shadow`.
 * @since 0.1.0
 * @see twinguard_configuration_json()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_shadow_configuration(const struct twinguard_shadow *shadow,
                                                struct twinguard_configuration **out_configuration,
                                                struct twinguard_error **error);

/**
 * The desired document as it is known, and what a module has to report about it.
 *
 * A JSON object: desired (without "$version"), desired_version (or null), and reported, the
 * document with the configuration in force under its section.
 *
 * @param[in] shadow  not NULL.
 * @param[out] out_document  not NULL; a JSON object as text, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  there it is.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `shadow` or `out_document` is NULL.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `shadow` panicked.
 * @note Ownership: the caller frees `*out_document` with twinguard_buf_free().
 * @note Threads: together with other const calls on `shadow`.
 * @since 0.1.0
 * @see twinguard_shadow_configuration()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_shadow_document(const struct twinguard_shadow *shadow,
                                           struct twinguard_buf **out_document,
                                           struct twinguard_error **error);

/**
 * Frees a shadow.
 *
 * Configurations that came from it live on.
 *
 * @param[in] shadow  may be NULL: nothing happens.
 * @return nothing.
 * @note Ownership: takes `shadow`.
 * @note Threads: no other call on `shadow` at the same time.
 * @since 0.1.0
 * @see twinguard_shadow_new()
 */
void twinguard_shadow_free(struct twinguard_shadow *shadow);

/**
 * Reads an ISO 8601 duration as the agent configuration does.
 *
 * Of the form "P[nY][nM][nW][nD][T[nH][nM][nS]]", a year of 365 and a month of 30 days, a fraction
 * only in the last part; from one second to 366 days.
 *
 * @param[in] text  the duration.
 * @param[out] out_ms  not NULL; milliseconds, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  it is a duration.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_ms` is NULL, or `text` is NULL with a length.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  `text` is not a duration, or out of range.
 * @retval TWINGUARD_ERR_ENCODING  `text` is not UTF-8.
 * @note Ownership: nothing changes hands.
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_duration_format()
 */
twinguard_status twinguard_duration_parse(struct twinguard_str text,
                                          uint64_t *out_ms,
                                          struct twinguard_error **error);

/**
 * Writes a duration in its normal form.
 *
 * "P{d}DT{h}H{m}M{s}S" without the parts that are zero, as it stands in reported properties.
 *
 * @param[in] ms  milliseconds, 1000 … 31622400000.
 * @param[out] out_text  not NULL; the text, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  there it is.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_text` is NULL.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  `ms` is out of range.
 * @note Ownership: the caller frees `*out_text` with twinguard_buf_free().
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_duration_parse()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_duration_format(uint64_t ms,
                                           struct twinguard_buf **out_text,
                                           struct twinguard_error **error);

/**
 * Makes a shared access signature token.
 *
 * For a host that signs in by other means; a twinguard_client makes its own tokens. The text is
 * "SharedAccessSignature sr=…&sig=…&se=…", with "&skn=…" for a policy (IoT Hub docs: control
 * access with shared access signatures).
 *
 * @param[in] resource  what the token is for, not encoded: "host/devices/device/modules/module".
 * @param[in] key_base64  the shared access key as base64 text; copied into memory that is wiped.
 * @param[in] expires_unix_s  expiry in seconds since 1970-01-01 UTC.
 * @param[in] policy  name of the policy that the key belongs to; empty for a device's or
 *                    module's own key.
 * @param[out] out_token  not NULL; the token, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the token is made.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_token` is NULL, or a text is NULL with a length.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  `resource` is empty.
 * @retval TWINGUARD_ERR_ENCODING  a text is not UTF-8.
 * @retval TWINGUARD_ERR_KEY  `key_base64` is not a usable key.
 * @note Ownership: the caller frees `*out_token` with twinguard_buf_free(), which wipes it.
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_derive_key()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_sas_token_new(struct twinguard_str resource,
                                         struct twinguard_str key_base64,
                                         uint64_t expires_unix_s,
                                         struct twinguard_str policy,
                                         struct twinguard_buf **out_token,
                                         struct twinguard_error **error);

/**
 * Derives the key of one device from the key of its enrollment group.
 *
 * HMAC-SHA256 of the registration id (IoT Hub Device Provisioning Service docs: symmetric key
 * attestation). For provisioning at the factory; the group key must not be on a device.
 *
 * @param[in] group_key_base64  the group's key as base64 text; copied into memory that is wiped.
 * @param[in] registration_id  the device's registration id, not empty.
 * @param[out] out_key  not NULL; the device's key as base64 text, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the key is derived.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_key` is NULL, or a text is NULL with a length.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  `registration_id` is empty.
 * @retval TWINGUARD_ERR_ENCODING  a text is not UTF-8.
 * @retval TWINGUARD_ERR_KEY  `group_key_base64` is not a usable key.
 * @note Ownership: the caller frees `*out_key` with twinguard_buf_free(), which wipes it.
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_sas_token_new()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_derive_key(struct twinguard_str group_key_base64,
                                      struct twinguard_str registration_id,
                                      struct twinguard_buf **out_key,
                                      struct twinguard_error **error);

/**
 * Signs with a shared access key.
 *
 * HMAC-SHA256 of `data` under the key (RFC 2104). For a host that has its own connection and
 * proves with the module's key who it is: it answers a gateway's challenge, or signs a token whose
 * text is not the one of twinguard_sas_token_new(). A token is signed over its encoded resource, a
 * line feed and its expiry (IoT Hub docs: control access with shared access signatures).
 *
 * @param[in] key_base64  the shared access key as base64 text; copied into memory that is wiped.
 * @param[in] data  what to sign: any bytes, also none, not only text; not copied.
 * @param[out] out_signature  not NULL; the signature's 32 bytes as 44 characters of base64, as
 *                            tokens and gateways carry it, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the data is signed.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_signature` is NULL, or `key_base64` or `data` is NULL
 *         with a length.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  a length is longer than memory.
 * @retval TWINGUARD_ERR_ENCODING  `key_base64` is not UTF-8.
 * @retval TWINGUARD_ERR_KEY  `key_base64` is not a usable key.
 * @note Ownership: the caller frees `*out_signature` with twinguard_buf_free(), which wipes it.
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_sas_token_new()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_sign(struct twinguard_str key_base64,
                                struct twinguard_str data,
                                struct twinguard_buf **out_signature,
                                struct twinguard_error **error);

/**
 * Makes a client from its options.
 *
 * Opens the store and restores what is in it, so that a stored configuration is in force at once.
 * No network yet, and no thread.
 *
 * @param[in] options  not NULL, and `*options` not NULL; set to NULL by every call.
 * @param[out] out_client  not NULL; the client, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the client is made.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options`, `*options` or `out_client` is NULL.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  a setting is out of its range; the message names it.
 * @retval TWINGUARD_ERR_STORE_LOCKED  another client uses the store's directory.
 * @retval TWINGUARD_ERR_STORE_PERMISSIONS  the store's directory is open to others, or not to us.
 * @retval TWINGUARD_ERR_STORE_IO  the store's directory cannot be made or opened.
 * @retval TWINGUARD_ERR_RESOURCES  the system gave no descriptor.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `*options` panicked.
 * @note Ownership: takes `*options`, also when it fails. The caller frees `*out_client` with
 *       twinguard_client_free().
 * @note Threads: exclusive use of `options`; the client may be used from several threads at once.
 * @since 0.1.0
 * @see twinguard_client_connect()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_client_new(struct twinguard_options **options,
                                      struct twinguard_client **out_client,
                                      struct twinguard_error **error);

/**
 * Starts to sign in.
 *
 * Returns at once; from then on the client connects, and connects again after trouble, until it is
 * closed. Watch the events, or wait with twinguard_client_wait_running().
 *
 * @param[in] client  not NULL.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  it is on its way, or was before.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL.
 * @retval TWINGUARD_ERR_CLOSED  the client is closed.
 * @retval TWINGUARD_ERR_REENTRANT  called from a log function.
 * @retval TWINGUARD_ERR_FORKED  the client was made before fork.
 * @retval TWINGUARD_ERR_RESOURCES  the system gave no thread.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_wait_running()
 */
twinguard_status twinguard_client_connect(const struct twinguard_client *client,
                                          struct twinguard_error **error);

/**
 * Waits until the module runs: signed in and in step with its twin.
 *
 * After a failure the client goes on trying; only a refused credential needs the caller.
 *
 * @param[in] client  not NULL.
 * @param[in] timeout_ms  longest wait in milliseconds; 0 only looks.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  it runs.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL.
 * @retval TWINGUARD_ERR_TIMEOUT  not in time; the message has the last trouble.
 * @retval TWINGUARD_ERR_UNAUTHORIZED  the hub refused the credential or the identity.
 * @retval TWINGUARD_ERR_TOKEN_EXPIRED  the token has expired and there is no key.
 * @retval TWINGUARD_ERR_WRONG_STATE  twinguard_client_connect() was not called.
 * @retval TWINGUARD_ERR_CLOSED  the client is closed, or was while this waited.
 * @retval TWINGUARD_ERR_REENTRANT  called from a log function.
 * @retval TWINGUARD_ERR_FORKED  the client was made before fork.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_state()
 */
twinguard_status twinguard_client_wait_running(const struct twinguard_client *client,
                                               uint32_t timeout_ms,
                                               struct twinguard_error **error);

/**
 * Where the module stands now.
 *
 * Never waits.
 *
 * @param[in] client  may be NULL.
 * @return one of twinguard_states; a negative twinguard_status for NULL, after a panic or
 *         fork, and from inside a log function.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_state_name()
 */
int32_t twinguard_client_state(const struct twinguard_client *client);

/**
 * Takes the next event.
 *
 * Waits for one if there is none. In a poll loop call it with 0 until it gives no event.
 *
 * @param[in] client  not NULL.
 * @param[in] timeout_ms  longest wait in milliseconds; 0 does not wait.
 * @param[out] out_event  not NULL; the event, or NULL when none came in time; written on success
 *                        only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  look at `*out_event`.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` or `out_event` is NULL.
 * @retval TWINGUARD_ERR_CLOSED  the client is closed and every event was taken.
 * @retval TWINGUARD_ERR_REENTRANT  called from a log function.
 * @retval TWINGUARD_ERR_FORKED  the client was made before fork.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
 * @note Ownership: the caller frees `*out_event` with twinguard_event_free().
 * @note Threads: from several at once; each event goes to one of them.
 * @since 0.1.0
 * @see twinguard_client_event_fd()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_client_next_event(const struct twinguard_client *client,
                                             uint32_t timeout_ms,
                                             struct twinguard_event **out_event,
                                             struct twinguard_error **error);

/**
 * A file descriptor that is readable while events wait.
 *
 * For the caller's own poll, select or epoll. It is also readable when the client is closed.
 * Never read, write or close it.
 *
 * @param[in] client  may be NULL.
 * @return the descriptor; a negative twinguard_status for NULL, after a panic or fork, and from
 *         inside a log function.
 * @note Ownership: borrowed from `client` until it is freed; always the same one.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_next_event()
 */
int32_t twinguard_client_event_fd(const struct twinguard_client *client);

/**
 * The twin as it is known now.
 *
 * Never waits and makes no request.
 *
 * @param[in] client  not NULL.
 * @param[out] out_twin  not NULL; the twin, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  there it is.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` or `out_twin` is NULL.
 * @retval TWINGUARD_ERR_REENTRANT  called from a log function.
 * @retval TWINGUARD_ERR_FORKED  the client was made before fork.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
 * @note Ownership: the caller frees `*out_twin` with twinguard_twin_free(); it stays as it is when
 *       the twin changes.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_get_twin()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_client_twin(const struct twinguard_client *client,
                                       struct twinguard_twin **out_twin,
                                       struct twinguard_error **error);

/**
 * Reads the twin from the hub.
 *
 * Seldom needed: the client follows the twin by itself, and twinguard_client_twin() costs nothing.
 *
 * @param[in] client  not NULL.
 * @param[in] timeout_ms  longest wait in milliseconds.
 * @param[out] out_twin  not NULL; the twin, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  it is fresh.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` or `out_twin` is NULL.
 * @retval TWINGUARD_ERR_TIMEOUT  no answer in time.
 * @retval TWINGUARD_ERR_TWIN_READ  the hub answered with an error status.
 * @retval TWINGUARD_ERR_THROTTLED  the hub asks for fewer requests.
 * @retval TWINGUARD_ERR_NETWORK  there is no connection; also the other network statuses.
 * @retval TWINGUARD_ERR_CLOSED  the client is closed, or was while this waited.
 * @retval TWINGUARD_ERR_REENTRANT  called from a log function.
 * @retval TWINGUARD_ERR_FORKED  the client was made before fork.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
 * @note Ownership: the caller frees `*out_twin` with twinguard_twin_free().
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_twin()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_client_get_twin(const struct twinguard_client *client,
                                           uint32_t timeout_ms,
                                           struct twinguard_twin **out_twin,
                                           struct twinguard_error **error);

/**
 * The agent configuration in force, and what became of each property.
 *
 * Never waits: before the first twin it is the stored one, or the defaults.
 *
 * @param[in] client  not NULL.
 * @param[out] out_configuration  not NULL; written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  there it is.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` or `out_configuration` is NULL.
 * @retval TWINGUARD_ERR_REENTRANT  called from a log function.
 * @retval TWINGUARD_ERR_FORKED  the client was made before fork.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
 * @note Ownership: the caller frees `*out_configuration` with twinguard_configuration_free(); it
 *       stays as it is when the configuration changes.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_duration_ms()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_client_configuration(const struct twinguard_client *client,
                                                struct twinguard_configuration **out_configuration,
                                                struct twinguard_error **error);

/**
 * Sets the document that the hub shall have as reported.
 *
 * The whole wanted document of the caller; what differs from the hub's is sent, now or when there
 * is a connection, until the hub has taken it. A later call replaces an earlier one. The section
 * of the agent configuration is the library's, unless reporting it was switched off.
 *
 * @param[in] client  not NULL.
 * @param[in] document  a JSON object within the limits of device twins: 32 KiB, 10 levels, no null.
 * @param[out] out_generation  may be NULL; a number for twinguard_client_wait_reported(), written
 *                             on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  it is wanted now.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL, or `document` is NULL with a length.
 * @retval TWINGUARD_ERR_ENCODING  `document` is not UTF-8.
 * @retval TWINGUARD_ERR_JSON  `document` is no JSON object; the error has the JSON pointer.
 * @retval TWINGUARD_ERR_TWIN_LIMIT  the hub would refuse it; the error has the JSON pointer.
 * @retval TWINGUARD_ERR_CLOSED  the client is closed.
 * @retval TWINGUARD_ERR_REENTRANT  called from a log function.
 * @retval TWINGUARD_ERR_FORKED  the client was made before fork.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
 * @note Ownership: `document` is copied.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_patch_reported()
 */
twinguard_status twinguard_client_set_reported(const struct twinguard_client *client,
                                               struct twinguard_str document,
                                               uint64_t *out_generation,
                                               struct twinguard_error **error);

/**
 * Changes the document that the hub shall have as reported.
 *
 * Merges a JSON merge patch (RFC 7396) into the wanted document; null deletes.
 *
 * @param[in] client  not NULL.
 * @param[in] patch  a JSON object; the merged document has to keep the limits of device twins.
 * @param[out] out_generation  may be NULL; a number for twinguard_client_wait_reported(), written
 *                             on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  it is wanted now.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL, or `patch` is NULL with a length.
 * @retval TWINGUARD_ERR_ENCODING  `patch` is not UTF-8.
 * @retval TWINGUARD_ERR_JSON  `patch` is no JSON object; the error has the JSON pointer.
 * @retval TWINGUARD_ERR_TWIN_LIMIT  the hub would refuse it; the error has the JSON pointer.
 * @retval TWINGUARD_ERR_CLOSED  the client is closed.
 * @retval TWINGUARD_ERR_REENTRANT  called from a log function.
 * @retval TWINGUARD_ERR_FORKED  the client was made before fork.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
 * @note Ownership: `patch` is copied.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_set_reported()
 */
twinguard_status twinguard_client_patch_reported(const struct twinguard_client *client,
                                                 struct twinguard_str patch,
                                                 uint64_t *out_generation,
                                                 struct twinguard_error **error);

/**
 * Waits until the hub has taken a reported document.
 *
 * A later generation covers the earlier ones.
 *
 * @param[in] client  not NULL.
 * @param[in] generation  from twinguard_client_set_reported() or _patch_reported().
 * @param[in] timeout_ms  longest wait in milliseconds; 0 only looks.
 * @param[out] out_version  may be NULL; "$version" of the reported section, 0 when the hub did not
 *                          tell it; written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the hub has it.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  there was no such generation.
 * @retval TWINGUARD_ERR_REPORTED_REFUSED  the hub refused it for good.
 * @retval TWINGUARD_ERR_TIMEOUT  not in time; it goes on being sent.
 * @retval TWINGUARD_ERR_CLOSED  the client is closed, or was while this waited.
 * @retval TWINGUARD_ERR_REENTRANT  called from a log function.
 * @retval TWINGUARD_ERR_FORKED  the client was made before fork.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_set_reported()
 */
twinguard_status twinguard_client_wait_reported(const struct twinguard_client *client,
                                                uint64_t generation,
                                                uint32_t timeout_ms,
                                                uint64_t *out_version,
                                                struct twinguard_error **error);

/**
 * Counters of the client.
 *
 * One flat JSON object of numbers: connect_attempts, connections, connections_lost, refusals,
 * planned_renewals, twin_reads, patches_sent, patches_acknowledged, patches_refused,
 * requests_timed_out, notifications, gaps, events_merged, events_waiting, bytes_in, bytes_out,
 * records_saved, last_outage_ms. They only grow, except events_waiting and last_outage_ms. More
 * members may appear with any release.
 *
 * @param[in] client  not NULL.
 * @param[out] out_statistics  not NULL; a JSON object as text, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  there they are.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` or `out_statistics` is NULL.
 * @retval TWINGUARD_ERR_REENTRANT  called from a log function.
 * @retval TWINGUARD_ERR_FORKED  the client was made before fork.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
 * @note Ownership: the caller frees `*out_statistics` with twinguard_buf_free().
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_state()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_client_statistics(const struct twinguard_client *client,
                                             struct twinguard_buf **out_statistics,
                                             struct twinguard_error **error);

/**
 * Closes the client.
 *
 * Signs off if that is possible at once, saves what is to be saved, and returns in time, whatever
 * the network does. Calls that wait end with TWINGUARD_ERR_CLOSED. May be called again. Events that
 * wait can still be taken.
 *
 * @param[in] client  not NULL.
 * @param[in] timeout_ms  longest wait in milliseconds; 0 does not wait for anything.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  it is closed.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL.
 * @retval TWINGUARD_ERR_TIMEOUT  it is closed, but the store was not finished in time.
 * @retval TWINGUARD_ERR_REENTRANT  called from a log function.
 * @retval TWINGUARD_ERR_FORKED  the client was made before fork.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
 * @note Ownership: the caller still frees `client` with twinguard_client_free().
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_free()
 */
twinguard_status twinguard_client_close(const struct twinguard_client *client,
                                        uint32_t timeout_ms,
                                        struct twinguard_error **error);

/**
 * Frees a client.
 *
 * Closes it without waiting if it is not closed; the I/O thread then finishes by itself. Works in
 * every state: after a panic, after fork, and from inside a log function.
 *
 * @param[in] client  may be NULL: nothing happens.
 * @return nothing.
 * @note Ownership: takes `client`; its event descriptor ends. Events, twins and configurations that
 *       came from it live on.
 * @note Threads: no other call on `client` at the same time.
 * @since 0.1.0
 * @see twinguard_client_close()
 */
void twinguard_client_free(struct twinguard_client *client);

/**
 * Whether the desired document that was evaluated last is good.
 *
 * False when a known property, or the section itself, was refused; what is in force is then in
 * the settings, and what was wrong in the refused properties.
 *
 * @param[in] configuration  may be NULL.
 * @return true or false; false for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_refused_count()
 */
bool twinguard_configuration_is_success(const struct twinguard_configuration *configuration);

/**
 * The version of the desired document that was evaluated last.
 *
 * Tells which change of the operator this result answers.
 *
 * @param[in] configuration  may be NULL.
 * @param[out] out_version  not NULL; "$version", written when true comes back.
 * @return true when the version is known; false otherwise, or for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_twin_desired_version()
 */
bool twinguard_configuration_desired_version(const struct twinguard_configuration *configuration,
                                             uint64_t *out_version);

/**
 * The configuration in force as JSON.
 *
 * One flat object: every key with its value, durations and priorities as text, null for a text
 * that is not set.
 *
 * @param[in] configuration  may be NULL.
 * @return a JSON object as text, NUL-ended; none for NULL.
 * @note Ownership: borrowed from `configuration` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_evaluation_json()
 */
struct twinguard_str twinguard_configuration_json(const struct twinguard_configuration *configuration);

/**
 * The whole result of the evaluation as JSON.
 *
 * Members: state ("success" or "failed"), desired_version (or null), effective (as
 * twinguard_configuration_json()), properties (list of key, pointer, outcome), errors (list of key,
 * pointer, error, expected, message, used), warnings (list of key, error, message, used),
 * unknown_keys, unknown_count.
 *
 * @param[in] configuration  may be NULL.
 * @return a JSON object as text, NUL-ended; none for NULL.
 * @note Ownership: borrowed from `configuration` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_errors()
 */
struct twinguard_str twinguard_configuration_evaluation_json(const struct twinguard_configuration *configuration);

/**
 * The payloads of the ConfigurationError event for this evaluation.
 *
 * One per refused property and one per contradiction, in the published shape: ConfigurationName,
 * ErrorType, UsedConfiguration, Message. Send no event when the list is empty.
 *
 * @param[in] configuration  not NULL.
 * @param[out] out_payloads  not NULL; a JSON array as text, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the list is made, perhaps empty ("[]").
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `configuration` or `out_payloads` is NULL.
 * @note Ownership: the caller frees `*out_payloads` with twinguard_buf_free().
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_evaluation_json()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_configuration_errors(const struct twinguard_configuration *configuration,
                                                struct twinguard_buf **out_payloads,
                                                struct twinguard_error **error);

/**
 * A duration in force.
 *
 * For keys such as "highPriorityMessageFrequency" and "aggregationIntervalProcessCreate".
 *
 * @param[in] configuration  not NULL.
 * @param[in] key  the setting's key, in its exact case.
 * @param[out] out_ms  not NULL; milliseconds, 1000 … 31622400000, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  there it is.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `configuration` or `out_ms` is NULL.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  no setting of that name in this profile, or not a
 *         duration.
 * @retval TWINGUARD_ERR_ENCODING  `key` is not UTF-8.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_text()
 */
twinguard_status twinguard_configuration_duration_ms(const struct twinguard_configuration *configuration,
                                                     struct twinguard_str key,
                                                     uint64_t *out_ms,
                                                     struct twinguard_error **error);

/**
 * A number in force.
 *
 * For keys such as "maxMessageSizeInBytes" and "maxLocalCacheSizeInBytes", both in bytes.
 *
 * @param[in] configuration  not NULL.
 * @param[in] key  the setting's key, in its exact case.
 * @param[out] out_number  not NULL; in the setting's unit, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  there it is.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `configuration` or `out_number` is NULL.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  no setting of that name in this profile, or not a
 *         number.
 * @retval TWINGUARD_ERR_ENCODING  `key` is not UTF-8.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_text()
 */
twinguard_status twinguard_configuration_number(const struct twinguard_configuration *configuration,
                                                struct twinguard_str key,
                                                uint64_t *out_number,
                                                struct twinguard_error **error);

/**
 * A switch in force.
 *
 * For keys such as "aggregationEnabledProcessCreate" and "baselineCustomChecksEnabled".
 *
 * @param[in] configuration  not NULL.
 * @param[in] key  the setting's key, in its exact case.
 * @param[out] out_flag  not NULL; written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  there it is.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `configuration` or `out_flag` is NULL.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  no setting of that name in this profile, or not a
 *         switch.
 * @retval TWINGUARD_ERR_ENCODING  `key` is not UTF-8.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_text()
 */
twinguard_status twinguard_configuration_flag(const struct twinguard_configuration *configuration,
                                              struct twinguard_str key,
                                              bool *out_flag,
                                              struct twinguard_error **error);

/**
 * The priority of an event in force.
 *
 * Ask by the event's name, as "Login" or "ProcessCreate", not by the setting's key.
 *
 * @param[in] configuration  not NULL.
 * @param[in] event  the event's name, in its exact case.
 * @param[out] out_priority  not NULL; one of twinguard_priorities, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  there it is.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `configuration` or `out_priority` is NULL.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  no event of that name has a priority in this profile.
 * @retval TWINGUARD_ERR_ENCODING  `event` is not UTF-8.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_text()
 */
twinguard_status twinguard_configuration_priority(const struct twinguard_configuration *configuration,
                                                  struct twinguard_str event,
                                                  int32_t *out_priority,
                                                  struct twinguard_error **error);

/**
 * Any setting in force, as text.
 *
 * Durations in their normal form ("PT7M"), numbers in decimal, switches as "true" and "false",
 * priorities as "High", "Low", "Off", texts as they are.
 *
 * @param[in] configuration  may be NULL.
 * @param[in] key  the setting's key, in its exact case.
 * @return the text, NUL-ended; none when the setting is not set or not known, or for NULL.
 * @note Ownership: borrowed from `configuration` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_json()
 */
struct twinguard_str twinguard_configuration_text(const struct twinguard_configuration *configuration,
                                                  struct twinguard_str key);

/**
 * Any setting in force, as JSON.
 *
 * For comparing, or for passing it on; twinguard_configuration_text() is for people.
 *
 * @param[in] configuration  may be NULL.
 * @param[in] key  the setting's key, in its exact case.
 * @return JSON text, NUL-ended, "null" when the setting is not set; none when it is not known, or
 *         for NULL.
 * @note Ownership: borrowed from `configuration` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_key()
 */
struct twinguard_str twinguard_configuration_setting_json(const struct twinguard_configuration *configuration,
                                                          struct twinguard_str key);

/**
 * How many settings there are.
 *
 * With twinguard_configuration_key() this walks through them, in byte order of the keys.
 *
 * @param[in] configuration  may be NULL.
 * @return the number; 0 for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_key()
 */
size_t twinguard_configuration_count(const struct twinguard_configuration *configuration);

/**
 * The key of a setting.
 *
 * For the accessors that take a key.
 *
 * @param[in] configuration  may be NULL.
 * @param[in] index  from 0.
 * @return the key, NUL-ended; none past the end, or for NULL.
 * @note Ownership: borrowed from `configuration` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_count()
 */
struct twinguard_str twinguard_configuration_key(const struct twinguard_configuration *configuration,
                                                 size_t index);

/**
 * How many properties of the desired document were refused.
 *
 * With the accessors that follow, this walks through them in the order of the schema.
 *
 * @param[in] configuration  may be NULL.
 * @return the number; 0 for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_refused_key()
 */
size_t twinguard_configuration_refused_count(const struct twinguard_configuration *configuration);

/**
 * The key of a refused property.
 *
 * The section's own name when the section itself was refused.
 *
 * @param[in] configuration  may be NULL.
 * @param[in] index  from 0.
 * @return the key, NUL-ended; none past the end, or for NULL.
 * @note Ownership: borrowed from `configuration` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_refused_count()
 */
struct twinguard_str twinguard_configuration_refused_key(const struct twinguard_configuration *configuration,
                                                         size_t index);

/**
 * Where in the desired document a refused property stands.
 *
 * Points at the value that was read, or at the property when its wrapper is bad.
 *
 * @param[in] configuration  may be NULL.
 * @param[in] index  from 0.
 * @return a JSON pointer (RFC 6901), NUL-ended; none past the end, or for NULL.
 * @note Ownership: borrowed from `configuration` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_refused_count()
 */
struct twinguard_str twinguard_configuration_refused_pointer(const struct twinguard_configuration *configuration,
                                                             size_t index);

/**
 * What a refused property should have been.
 *
 * A phrase for people, as "an integer from 1 to 262144".
 *
 * @param[in] configuration  may be NULL.
 * @param[in] index  from 0.
 * @return the phrase, NUL-ended; none past the end, or for NULL.
 * @note Ownership: borrowed from `configuration` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_refused_count()
 */
struct twinguard_str twinguard_configuration_refused_expected(const struct twinguard_configuration *configuration,
                                                              size_t index);

/**
 * Why a property was refused, in one line.
 *
 * Key and expectation together; the refused value is not in it.
 *
 * @param[in] configuration  may be NULL.
 * @param[in] index  from 0.
 * @return the line, NUL-ended; none past the end, or for NULL.
 * @note Ownership: borrowed from `configuration` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_refused_count()
 */
struct twinguard_str twinguard_configuration_refused_message(const struct twinguard_configuration *configuration,
                                                             size_t index);

/**
 * Frees a configuration.
 *
 * Call it once for every configuration that a call gave; not for one borrowed from an event.
 *
 * @param[in] configuration  may be NULL: nothing happens.
 * @return nothing.
 * @note Ownership: takes `configuration`; text borrowed from it ends.
 * @note Threads: no other call on `configuration` at the same time.
 * @since 0.1.0
 * @see twinguard_client_configuration()
 */
void twinguard_configuration_free(struct twinguard_configuration *configuration);

/**
 * The status of a failure.
 *
 * The same number that the call returned.
 *
 * @param[in] error  may be NULL.
 * @return the status, negative; TWINGUARD_OK when `error` is NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_status_name()
 */
twinguard_status twinguard_error_status(const struct twinguard_error *error);

/**
 * What went wrong, in one line for people.
 *
 * Says what, where and what was expected; holds no secret. Not for programs: compare the status.
 *
 * @param[in] error  may be NULL.
 * @return the line, NUL-ended; none when `error` is NULL.
 * @note Ownership: borrowed from `error` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_error_cause()
 */
struct twinguard_str twinguard_error_message(const struct twinguard_error *error);

/**
 * Where in a JSON document the fault lies.
 *
 * Names the property or setting at fault, so that a program can show it.
 *
 * @param[in] error  may be NULL.
 * @return a JSON pointer (RFC 6901), NUL-ended, empty for the whole document; none when the
 *         failure is not about a document, or `error` is NULL.
 * @note Ownership: borrowed from `error` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_error_message()
 */
struct twinguard_str twinguard_error_pointer(const struct twinguard_error *error);

/**
 * What lies below the failure, in one line.
 *
 * The causes that other layers gave, outermost first, joined with ": ".
 *
 * @param[in] error  may be NULL.
 * @return the line, NUL-ended; none when there is no cause, or `error` is NULL.
 * @note Ownership: borrowed from `error` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_error_message()
 */
struct twinguard_str twinguard_error_cause(const struct twinguard_error *error);

/**
 * Frees the detail of a failure.
 *
 * Call it once for every error that a call gave.
 *
 * @param[in] error  may be NULL: nothing happens.
 * @return nothing.
 * @note Ownership: takes `error`; text borrowed from it ends.
 * @note Threads: no other call on `error` at the same time.
 * @since 0.1.0
 * @see twinguard_error_message()
 */
void twinguard_error_free(struct twinguard_error *error);

/**
 * What kind of event it is.
 *
 * The kind says which of the other accessors have an answer.
 *
 * @param[in] event  may be NULL.
 * @return one of twinguard_event_kinds; TWINGUARD_EVENT_NONE for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_next_event()
 */
int32_t twinguard_event_kind(const struct twinguard_event *event);

/**
 * The state that now holds.
 *
 * For TWINGUARD_EVENT_STATE; twinguard_event_trouble() has the reason when there is one.
 *
 * @param[in] event  may be NULL.
 * @return one of twinguard_states; -1 for another kind of event, or NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_state_name()
 */
int32_t twinguard_event_state(const struct twinguard_event *event);

/**
 * How long until the next attempt to connect.
 *
 * For TWINGUARD_EVENT_STATE with TWINGUARD_STATE_DISCONNECTED.
 *
 * @param[in] event  may be NULL.
 * @param[out] out_ms  not NULL; milliseconds from the event on, written when true comes back.
 * @return true when there is a next attempt with a time; false otherwise, or for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_state()
 */
bool twinguard_event_retry_in_ms(const struct twinguard_event *event, uint64_t *out_ms);

/**
 * What kind of trouble an event tells of.
 *
 * For TWINGUARD_EVENT_TROUBLE, a state change with a reason, and a read that failed. The numbers
 * are those of failed calls, so one `switch` serves both.
 *
 * @param[in] event  may be NULL.
 * @return a negative twinguard_status; TWINGUARD_OK when the event tells of no trouble, or NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_message()
 */
twinguard_status twinguard_event_trouble(const struct twinguard_event *event);

/**
 * The words of an event, in one line.
 *
 * For trouble: what went wrong. For a refused reported document: the hub's words, or ours.
 *
 * @param[in] event  may be NULL.
 * @return the line, NUL-ended; none when the event has no words, or for NULL.
 * @note Ownership: borrowed from `event` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_trouble()
 */
struct twinguard_str twinguard_event_message(const struct twinguard_event *event);

/**
 * The hub's own code behind an event.
 *
 * The status of a twin answer (429, 500, …) or the return code of a refused sign-in (4, 5).
 *
 * @param[in] event  may be NULL.
 * @param[out] out_code  not NULL; the code, written when true comes back.
 * @return true when the hub gave a code; false otherwise, or for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_trouble()
 */
bool twinguard_event_hub_code(const struct twinguard_event *event, uint16_t *out_code);

/**
 * The version of the new desired document.
 *
 * For TWINGUARD_EVENT_DESIRED.
 *
 * @param[in] event  may be NULL.
 * @param[out] out_version  not NULL; "$version", written when true comes back.
 * @return true when the version is known; false otherwise, for another kind, or for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_change_count()
 */
bool twinguard_event_desired_version(const struct twinguard_event *event, uint64_t *out_version);

/**
 * Whether a desired document was restored from the store, before there was a connection.
 *
 * For TWINGUARD_EVENT_DESIRED; a document from the hub gives false.
 *
 * @param[in] event  may be NULL.
 * @return true or false; false for another kind, or for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_options_set_store_directory()
 */
bool twinguard_event_is_stored(const struct twinguard_event *event);

/**
 * The change of the desired document as a JSON merge patch (RFC 7396).
 *
 * For TWINGUARD_EVENT_DESIRED: the smallest patch from the document that was told last to the one
 * that holds now.
 *
 * @param[in] event  may be NULL.
 * @return a JSON object as text, NUL-ended; none for another kind, or for NULL.
 * @note Ownership: borrowed from `event` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_change_count()
 */
struct twinguard_str twinguard_event_patch(const struct twinguard_event *event);

/**
 * How many single changes a new desired document makes.
 *
 * For TWINGUARD_EVENT_DESIRED; with the accessors that follow, this walks through them, sorted by
 * JSON pointer.
 *
 * @param[in] event  may be NULL.
 * @return the number; 0 for another kind, or for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_change_pointer()
 */
size_t twinguard_event_change_count(const struct twinguard_event *event);

/**
 * Where in the desired document a change is.
 *
 * Objects are compared member by member, anything else as a whole.
 *
 * @param[in] event  may be NULL.
 * @param[in] index  from 0.
 * @return a JSON pointer (RFC 6901), NUL-ended; none past the end, or for NULL.
 * @note Ownership: borrowed from `event` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_change_count()
 */
struct twinguard_str twinguard_event_change_pointer(const struct twinguard_event *event,
                                                    size_t index);

/**
 * The value before a change.
 *
 * None tells that the property is new.
 *
 * @param[in] event  may be NULL.
 * @param[in] index  from 0.
 * @return JSON text, NUL-ended; none when there was no value, past the end, or for NULL.
 * @note Ownership: borrowed from `event` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_change_new()
 */
struct twinguard_str twinguard_event_change_old(const struct twinguard_event *event, size_t index);

/**
 * The value after a change.
 *
 * None tells that the property was deleted.
 *
 * @param[in] event  may be NULL.
 * @param[in] index  from 0.
 * @return JSON text, NUL-ended; none when the property was deleted, past the end, or for NULL.
 * @note Ownership: borrowed from `event` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_change_old()
 */
struct twinguard_str twinguard_event_change_new(const struct twinguard_event *event, size_t index);

/**
 * The agent configuration that an event brings.
 *
 * For TWINGUARD_EVENT_CONFIGURATION.
 *
 * @param[in] event  may be NULL.
 * @return the configuration; NULL for another kind, or for NULL.
 * @note Ownership: borrowed from `event` until it is freed; do not free it.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_configuration_json()
 */
const struct twinguard_configuration *twinguard_event_configuration(const struct twinguard_event *event);

/**
 * Whether the hub has taken a reported document.
 *
 * For TWINGUARD_EVENT_REPORTED; false tells that the hub refused it for good, with its code in
 * twinguard_event_hub_code() and its words in twinguard_event_message().
 *
 * @param[in] event  may be NULL.
 * @return true or false; false for another kind, or for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_reported_generation()
 */
bool twinguard_event_is_acknowledged(const struct twinguard_event *event);

/**
 * Which reported document an event is about.
 *
 * For TWINGUARD_EVENT_REPORTED; the outcome covers every generation up to this one.
 *
 * @param[in] event  may be NULL.
 * @return the number that twinguard_client_set_reported() gave; 0 for another kind, or for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_set_reported()
 */
uint64_t twinguard_event_reported_generation(const struct twinguard_event *event);

/**
 * The version of the reported section after a document was taken.
 *
 * For TWINGUARD_EVENT_REPORTED with twinguard_event_is_acknowledged().
 *
 * @param[in] event  may be NULL.
 * @param[out] out_version  not NULL; "$version", written when true comes back.
 * @return true when the hub told the version; false otherwise, for another kind, or for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_event_is_acknowledged()
 */
bool twinguard_event_reported_version(const struct twinguard_event *event, uint64_t *out_version);

/**
 * The name of a state.
 *
 * For logs and messages.
 *
 * @param[in] state  any number.
 * @return the name, as "Running", NUL-ended; "Unknown" for a number that this version does not
 *         know.
 * @note Ownership: lives as long as the program, or until the library is unloaded.
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_client_state()
 */
struct twinguard_str twinguard_state_name(int32_t state);

/**
 * Frees an event.
 *
 * Call it once for every event that a call gave.
 *
 * @param[in] event  may be NULL: nothing happens.
 * @return nothing.
 * @note Ownership: takes `event`; everything borrowed from it ends.
 * @note Threads: no other call on `event` at the same time.
 * @since 0.1.0
 * @see twinguard_client_next_event()
 */
void twinguard_event_free(struct twinguard_event *event);

/**
 * Starts the settings of a client, from a module connection string.
 *
 * "HostName=…;DeviceId=…;ModuleId=…;SharedAccessKey=…", as the portal and the local hub give it.
 * The text is checked; nothing is opened, read or connected.
 *
 * @param[in] connection_string  the text; its key is copied into memory that is wiped.
 * @param[out] out_options  not NULL; the options, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the options are made.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_options` is NULL, or the text is NULL with a length.
 * @retval TWINGUARD_ERR_ENCODING  the text is not UTF-8.
 * @retval TWINGUARD_ERR_CONNECTION_STRING  the text breaks its grammar; the message names the key.
 * @retval TWINGUARD_ERR_KEY  the shared access key is not usable.
 * @retval TWINGUARD_ERR_UNSUPPORTED  the text asks for a client certificate.
 * @note Ownership: the caller gives `*out_options` to twinguard_client_new() or frees it with
 *       twinguard_options_free().
 * @note Threads: from anywhere; the options may move between threads.
 * @since 0.1.0
 * @see twinguard_client_new()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_options_new(struct twinguard_str connection_string,
                                       struct twinguard_options **out_options,
                                       struct twinguard_error **error);

/**
 * Gives root certificates to trust.
 *
 * For the local hub, or a gateway with a certificate authority of its own. Without this call the
 * bundled roots are trusted, which IoT Hub needs. Verification is always on.
 *
 * @param[in] options  not NULL.
 * @param[in] pem  one or more certificates as PEM text; other bytes around them are ignored.
 * @param[in] mode  one of twinguard_root_modes.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the certificates are taken.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL, or `pem` is NULL with a length.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  `mode` is none of its values.
 * @retval TWINGUARD_ERR_CERTIFICATE  `pem` holds no usable certificate.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: `pem` is copied.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_options_new()
 */
twinguard_status twinguard_options_set_roots_pem(struct twinguard_options *options,
                                                 struct twinguard_str pem,
                                                 int32_t mode,
                                                 struct twinguard_error **error);

/**
 * Gives a directory to keep the module's record in.
 *
 * The last good configuration, the twin and unsent reported properties then survive a restart.
 * One directory per module; it is made with mode 0700 when it is not there. Without this call
 * nothing is kept.
 *
 * @param[in] options  not NULL.
 * @param[in] path  the directory; looked at by twinguard_client_new().
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the path is taken.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL, or `path` is NULL with a length.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  `path` is empty.
 * @retval TWINGUARD_ERR_ENCODING  `path` is not UTF-8.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: `path` is copied.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_client_new()
 */
twinguard_status twinguard_options_set_store_directory(struct twinguard_options *options,
                                                       struct twinguard_str path,
                                                       struct twinguard_error **error);

/**
 * Lets the client share a runtime with others.
 *
 * Without this call the client has a runtime, and so a thread, of its own.
 *
 * @param[in] options  not NULL.
 * @param[in] runtime  not NULL.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the runtime is taken.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` or `runtime` is NULL.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: `runtime` stays the caller's, who may free it at any time.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_runtime_new()
 */
twinguard_status twinguard_options_set_runtime(struct twinguard_options *options,
                                               const struct twinguard_runtime *runtime,
                                               struct twinguard_error **error);

/**
 * Says how the desired document is read.
 *
 * Without this call: the published section, whole acceptance, the current profile.
 *
 * @param[in] options  not NULL.
 * @param[in] section  the member of the desired document to read; empty for the published name.
 * @param[in] acceptance  one of twinguard_acceptances.
 * @param[in] profile  one of twinguard_profiles.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the settings are taken.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL, or `section` is NULL with a length.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  `acceptance` or `profile` is none of its values.
 * @retval TWINGUARD_ERR_ENCODING  `section` is not UTF-8.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: `section` is copied.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_shadow_new()
 */
twinguard_status twinguard_options_set_agent(struct twinguard_options *options,
                                             struct twinguard_str section,
                                             int32_t acceptance,
                                             int32_t profile,
                                             struct twinguard_error **error);

/**
 * Says whether the configuration in force is reported under its section.
 *
 * Default: it is.
 *
 * @param[in] options  not NULL.
 * @param[in] on  true to report it.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the switch is set.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: nothing changes hands.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_options_set_report_status()
 */
twinguard_status twinguard_options_set_report_configuration(struct twinguard_options *options,
                                                            bool on,
                                                            struct twinguard_error **error);

/**
 * Says whether a status object is reported beside the configuration.
 *
 * It holds the desired version, the verdict, the refused keys and the library's version.
 * Default: it is not reported.
 *
 * @param[in] options  not NULL.
 * @param[in] on  true to report it.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the switch is set.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: nothing changes hands.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_options_set_report_configuration()
 */
twinguard_status twinguard_options_set_report_status(struct twinguard_options *options,
                                                     bool on,
                                                     struct twinguard_error **error);

/**
 * Sets the life of the tokens that the client makes.
 *
 * They are renewed before they expire.
 *
 * @param[in] options  not NULL.
 * @param[in] seconds  60 … 31536000, default 3600; the range is checked by
 *                     twinguard_client_new().
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the value is taken.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: nothing changes hands.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_client_new()
 */
twinguard_status twinguard_options_set_token_lifetime_s(struct twinguard_options *options,
                                                        uint32_t seconds,
                                                        struct twinguard_error **error);

/**
 * Sets the MQTT keep-alive.
 *
 * The longest silence on the connection before the client asks whether the hub is still there.
 *
 * @param[in] options  not NULL.
 * @param[in] seconds  5 … 1177, default 230; the range is checked by twinguard_client_new().
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the value is taken.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: nothing changes hands.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_client_new()
 */
twinguard_status twinguard_options_set_keep_alive_s(struct twinguard_options *options,
                                                    uint32_t seconds,
                                                    struct twinguard_error **error);

/**
 * Sets the longest time for one connection attempt.
 *
 * From name resolution to the hub's answer.
 *
 * @param[in] options  not NULL.
 * @param[in] ms  milliseconds, 1000 … 300000, default 30000; the range is checked by
 *                twinguard_client_new().
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the value is taken.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: nothing changes hands.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_options_set_backoff_max_ms()
 */
twinguard_status twinguard_options_set_connect_timeout_ms(struct twinguard_options *options,
                                                          uint32_t ms,
                                                          struct twinguard_error **error);

/**
 * Sets the longest wait for the answer to one twin request.
 *
 * A request that stays unanswered is made again, if need be on another connection.
 *
 * @param[in] options  not NULL.
 * @param[in] ms  milliseconds, 1000 … 300000, default 20000; the range is checked by
 *                twinguard_client_new().
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the value is taken.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: nothing changes hands.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_options_set_connect_timeout_ms()
 */
twinguard_status twinguard_options_set_request_timeout_ms(struct twinguard_options *options,
                                                          uint32_t ms,
                                                          struct twinguard_error **error);

/**
 * Sets the longest pause between two connection attempts.
 *
 * Pauses grow from attempt to attempt up to this, with jitter.
 *
 * @param[in] options  not NULL.
 * @param[in] ms  milliseconds, 1000 … 3600000, default 60000; the range is checked by
 *                twinguard_client_new().
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the value is taken.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: nothing changes hands.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_options_set_connect_timeout_ms()
 */
twinguard_status twinguard_options_set_backoff_max_ms(struct twinguard_options *options,
                                                      uint32_t ms,
                                                      struct twinguard_error **error);

/**
 * Sets how many unread events are kept.
 *
 * Past that, events about the twin and the configuration are merged; the newest state is never
 * lost.
 *
 * @param[in] options  not NULL.
 * @param[in] events  8 … 65536, default 64; the range is checked by twinguard_client_new().
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the value is taken.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: nothing changes hands.
 * @note Threads: exclusive use of `options`.
 * @since 0.1.0
 * @see twinguard_client_next_event()
 */
twinguard_status twinguard_options_set_event_capacity(struct twinguard_options *options,
                                                      size_t events,
                                                      struct twinguard_error **error);

/**
 * Gives a function that takes the client's log records.
 *
 * Without this call nothing is logged. A second call replaces the first.
 *
 * @param[in] options  not NULL.
 * @param[in] level  one of twinguard_log_levels: records of this and of graver levels are passed.
 * @param[in] log  not NULL; see twinguard_log_fn for its rules.
 * @param[in] user_data  may be NULL; passed to `log` and `drop`.
 * @param[in] drop  may be NULL; called exactly once, when the library is done with `user_data`.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the function is taken.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` or `log` is NULL.
 * @retval TWINGUARD_ERR_INVALID_ARGUMENT  `level` is none of its values.
 * @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
 * @note Ownership: `user_data` is the library's until `drop` is called, which also happens when
 *       this call fails.
 * @note Threads: exclusive use of `options`; `log` and `drop` run on any thread.
 * @since 0.1.0
 * @see twinguard_client_new()
 */
twinguard_status twinguard_options_set_log_sink(struct twinguard_options *options,
                                                int32_t level,
                                                twinguard_log_fn log,
                                                void *user_data,
                                                twinguard_drop_fn drop,
                                                struct twinguard_error **error);

/**
 * Frees options that were not given to a client.
 *
 * Also calls the drop function of the log sink.
 *
 * @param[in] options  may be NULL: nothing happens.
 * @return nothing.
 * @note Ownership: takes `options`.
 * @note Threads: no other call on `options` at the same time.
 * @since 0.1.0
 * @see twinguard_options_new()
 */
void twinguard_options_free(struct twinguard_options *options);

/**
 * Makes a runtime.
 *
 * For a program with several modules: give the same runtime to each client, and one thread serves
 * them all. Without one, each client has its own. The thread starts with the first connect and
 * ends when the handle and all its clients are gone.
 *
 * @param[out] out_runtime  not NULL; the runtime, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the runtime is made; no thread runs yet.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_runtime` is NULL.
 * @retval TWINGUARD_ERR_RESOURCES  the system gave no descriptor.
 * @note Ownership: the caller frees `*out_runtime` with twinguard_runtime_free().
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_options_set_runtime()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_runtime_new(struct twinguard_runtime **out_runtime,
                                       struct twinguard_error **error);

/**
 * How many threads the runtime has now.
 *
 * For a program that wants to prove to itself that none is left behind.
 *
 * @param[in] runtime  may be NULL.
 * @return 0 or 1: short-lived threads for name resolution are not counted; 0 for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_runtime_new()
 */
size_t twinguard_runtime_thread_count(const struct twinguard_runtime *runtime);

/**
 * Frees the handle of a runtime.
 *
 * Clients that were made with it go on; the thread ends with the last of them.
 *
 * @param[in] runtime  may be NULL: nothing happens.
 * @return nothing.
 * @note Ownership: takes `runtime`.
 * @note Threads: no other call on `runtime` at the same time.
 * @since 0.1.0
 * @see twinguard_runtime_new()
 */
void twinguard_runtime_free(struct twinguard_runtime *runtime);

/**
 * The name of a status, as in this header.
 *
 * For logs of programs; for people there is twinguard_status_text().
 *
 * @param[in] status  any number.
 * @return the name, as "TWINGUARD_ERR_TIMEOUT"; "UNKNOWN" for a number that this
 *         version does not know.
 * @note Ownership: lives as long as the program, or until the library is unloaded.
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_status_text()
 */
struct twinguard_str twinguard_status_name(int32_t status);

/**
 * What a status means, in one line.
 *
 * Without the circumstances, which are in twinguard_error_message().
 *
 * @param[in] status  any number.
 * @return the line; a general one for a number that this version does not know.
 * @note Ownership: lives as long as the program, or until the library is unloaded.
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_status_name()
 */
struct twinguard_str twinguard_status_text(int32_t status);

/**
 * Whether the same call may succeed later without a change by the caller.
 *
 * True for what passes by itself, as time-outs and lost connections.
 *
 * @param[in] status  any number.
 * @return true or false; false for success and for a number that this version does not know.
 * @note Ownership: nothing changes hands.
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_status_text()
 */
bool twinguard_status_is_retryable(int32_t status);

/**
 * The text in a buffer.
 *
 * Borrow it for as long as the buffer lives.
 *
 * @param[in] buf  may be NULL.
 * @return the text, NUL-ended; none (ptr NULL) when `buf` is NULL.
 * @note Ownership: borrowed from `buf` until twinguard_buf_free().
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_buf_free()
 */
struct twinguard_str twinguard_buf_text(const struct twinguard_buf *buf);

/**
 * Frees a buffer and wipes its text.
 *
 * Call it once for every buffer that a call gave.
 *
 * @param[in] buf  may be NULL: nothing happens.
 * @return nothing.
 * @note Ownership: takes `buf`; text borrowed from it ends.
 * @note Threads: no other call on `buf` at the same time.
 * @since 0.1.0
 * @see twinguard_buf_text()
 */
void twinguard_buf_free(struct twinguard_buf *buf);

/**
 * The desired document.
 *
 * What the operator wants, without the hub's own members such as "$version".
 *
 * @param[in] twin  may be NULL.
 * @return a JSON object as text, NUL-ended; none when `twin` is NULL.
 * @note Ownership: borrowed from `twin` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_twin_desired_version()
 */
struct twinguard_str twinguard_twin_desired(const struct twinguard_twin *twin);

/**
 * The version of the desired document.
 *
 * The hub counts it up with every change of the desired section.
 *
 * @param[in] twin  may be NULL.
 * @param[out] out_version  not NULL; "$version", written when true comes back.
 * @return true when the version is known; false before the first twin, or for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_twin_desired()
 */
bool twinguard_twin_desired_version(const struct twinguard_twin *twin, uint64_t *out_version);

/**
 * The reported document, as the hub was last known to have it.
 *
 * Not what twinguard_client_set_reported() wants it to be: that may still be under way.
 *
 * @param[in] twin  may be NULL.
 * @return a JSON object as text, NUL-ended; none when the hub's document is not known yet, or
 *         `twin` is NULL.
 * @note Ownership: borrowed from `twin` until it is freed.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_twin_reported_version()
 */
struct twinguard_str twinguard_twin_reported(const struct twinguard_twin *twin);

/**
 * The version of the reported document.
 *
 * The hub counts it up with every change of the reported section.
 *
 * @param[in] twin  may be NULL.
 * @param[out] out_version  not NULL; "$version", written when true comes back.
 * @return true when the version is known; false otherwise, or for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_twin_reported()
 */
bool twinguard_twin_reported_version(const struct twinguard_twin *twin, uint64_t *out_version);

/**
 * Whether the twin came from the hub on the connection that stood then.
 *
 * False for a twin that was restored from the store, or while the connection was down.
 *
 * @param[in] twin  may be NULL.
 * @return true or false; false for NULL.
 * @note Ownership: nothing changes hands.
 * @note Threads: from several at once.
 * @since 0.1.0
 * @see twinguard_client_get_twin()
 */
bool twinguard_twin_is_synced(const struct twinguard_twin *twin);

/**
 * Frees a twin.
 *
 * Call it once for every twin that a call gave.
 *
 * @param[in] twin  may be NULL: nothing happens.
 * @return nothing.
 * @note Ownership: takes `twin`; text borrowed from it ends.
 * @note Threads: no other call on `twin` at the same time.
 * @since 0.1.0
 * @see twinguard_client_twin()
 */
void twinguard_twin_free(struct twinguard_twin *twin);

/**
 * Merges a JSON merge patch into a document.
 *
 * By RFC 7396, as the hub does with a desired patch: objects member by member, null deletes,
 * anything else replaces.
 *
 * @param[in] target  the document: a JSON object of at most 262144 bytes.
 * @param[in] patch  the patch: a JSON object of at most 262144 bytes.
 * @param[out] out_document  not NULL; the new document as JSON text, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the patch is merged.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_document` is NULL, or a text is NULL with a length.
 * @retval TWINGUARD_ERR_ENCODING  a text is not UTF-8.
 * @retval TWINGUARD_ERR_JSON  a text is not a JSON object, names a key twice, is too large or
 *         nests deeper than 32 levels; the error has the JSON pointer.
 * @note Ownership: the caller frees `*out_document` with twinguard_buf_free().
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_diff()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_merge_patch(struct twinguard_str target,
                                       struct twinguard_str patch,
                                       struct twinguard_buf **out_document,
                                       struct twinguard_error **error);

/**
 * The smallest JSON merge patch that turns one document into another.
 *
 * By RFC 7396; "{}" when they are equal. A merge patch cannot put a null into an object, so a
 * member that is null counts as absent.
 *
 * @param[in] from  the document before: a JSON object of at most 262144 bytes.
 * @param[in] to  the document after: a JSON object of at most 262144 bytes.
 * @param[out] out_patch  not NULL; the patch as JSON text, written on success only.
 * @param[out] error  may be NULL; the detail of a failure, else NULL is written.
 * @retval TWINGUARD_OK  the patch is made.
 * @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_patch` is NULL, or a text is NULL with a length.
 * @retval TWINGUARD_ERR_ENCODING  a text is not UTF-8.
 * @retval TWINGUARD_ERR_JSON  a text is not a JSON object, names a key twice, is too large or
 *         nests deeper than 32 levels; the error has the JSON pointer.
 * @note Ownership: the caller frees `*out_patch` with twinguard_buf_free().
 * @note Threads: from anywhere.
 * @since 0.1.0
 * @see twinguard_merge_patch()
 */
TWINGUARD_NODISCARD
twinguard_status twinguard_diff(struct twinguard_str from,
                                struct twinguard_str to,
                                struct twinguard_buf **out_patch,
                                struct twinguard_error **error);

/**
 * The version of the library that runs, as a number.
 *
 * Assert at start-up that header and library agree:
 * `assert(twinguard_version_number() >> 8 == TWINGUARD_VERSION_NUMBER >> 8)`.
 *
 * @return major << 16 | minor << 8 | patch, as TWINGUARD_VERSION_NUMBER.
 * @note Ownership: nothing changes hands.
 * @note Threads: from anywhere, also from a signal handler and after fork.
 * @since 0.1.0
 * @see twinguard_version_string()
 */
uint32_t twinguard_version_number(void);

/**
 * The version of the library that runs, as text.
 *
 * For people and logs; compare the number.
 *
 * @return "major.minor.patch", as TWINGUARD_VERSION_STRING.
 * @note Ownership: lives as long as the program, or until the library is unloaded.
 * @note Threads: from anywhere, also from a signal handler and after fork.
 * @since 0.1.0
 * @see twinguard_version_number()
 */
struct twinguard_str twinguard_version_string(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/* A literal as text. */
#ifdef __cplusplus
#define TWINGUARD_STR(literal) (twinguard_str{"" literal, sizeof(literal) - 1})
#else
#define TWINGUARD_STR(literal) ((twinguard_str){"" literal, sizeof(literal) - 1})
#endif

/* A NUL-ended string as text; NULL gives the empty text. */
static inline twinguard_str twinguard_str_c(const char *string) {
  twinguard_str text;
  text.ptr = string;
  text.len = string == NULL ? 0 : strlen(string);
  return text;
}

#endif  /* TWINGUARD_H */
