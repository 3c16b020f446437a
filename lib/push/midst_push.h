/* The push client for programs in C, and for whatever can call C. Part of libmidst-push; C11.
 *
 * Counts are sent to midst-agent over its Unix socket as totals, once per flush interval, on a thread of the library. Nothing
 * here blocks, but for midst_push_flush() and midst_push_close(), and nothing needs an agent to be there.
 *
 * Every function may be called on any thread at any time, the same handles included; no function throws, and none ends the
 * program. A null handle is allowed everywhere and counts nowhere. Strings are copied, end in a null byte and should be
 * UTF-8. After fork() the handles stay valid in the child, which counts from 0 as an instance of its own. */
#ifndef MIDST_PUSH_H
#define MIDST_PUSH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a function is added; what is there stays as it is while the library's soname stays. */
#define MIDST_PUSH_ABI 1
int64_t midst_push_abi(void);

/* Owned by the library: a client until midst_push_close(), families and series until their client is closed. */
typedef struct midst_push_client midst_push_client;
typedef struct midst_push_family midst_push_family;
typedef struct midst_push_series midst_push_series;

/* Told of declarations that are refused and of an agent that refuses something. Called on any thread; must not call the
 * library. Both texts are valid during the call only. */
typedef void (*midst_push_problem)(void* context, const char* what, const char* detail);

/* socket_path        NULL: /run/midst-agent/push.sock
 * resource           for the agent's status page ("my-service 1.2"), or NULL
 * flush_interval_ms  100 ... 10000; 0: 1000
 * max_series         one more goes to its family's overflow series; 0: 10000
 * on_problem         NULL: a line on standard error
 * Returns NULL only without memory or without a thread. */
midst_push_client* midst_push_open(const char* socket_path, const char* resource, int64_t flush_interval_ms,
                                   int64_t max_series, midst_push_problem on_problem, void* context);

/* Sends the last totals, within 50 ms, and frees the client with everything of it. No other thread may use it any more. */
void midst_push_close(midst_push_client* client);

/* Sends a snapshot now and waits until the agent has acknowledged it. Returns 1, or 0 when timeout_ms have passed. */
int midst_push_flush(midst_push_client* client, int64_t timeout_ms);

/* When this signal ends the process, sends the last totals of its clients first, within 60 ms. Returns 1, or 0 when the
 * signal has a handler or is ignored, which stays so. */
int midst_push_deliver_at_signal(int number);

/* How the agent puts a gauge of several processes together. */
enum { MIDST_PUSH_LAST = 0, MIDST_PUSH_SUM = 1, MIDST_PUSH_MIN = 2, MIDST_PUSH_MAX = 3 };

/* Declare a family; the same declaration again returns the same family. One that contradicts an earlier one, or is invalid,
 * is a problem and returns NULL. label_names may be NULL when label_count is 0. */
midst_push_family* midst_push_counter(midst_push_client* client, const char* name, const char* help,
                                      const char* const* label_names, int64_t label_count);
midst_push_family* midst_push_gauge(midst_push_client* client, const char* name, const char* help,
                                    const char* const* label_names, int64_t label_count, int merge);
/* bounds: ascending, finite, without +Inf, at most 64. */
midst_push_family* midst_push_histogram(midst_push_client* client, const char* name, const char* help,
                                        const char* const* label_names, int64_t label_count, const double* bounds,
                                        int64_t bound_count);

/* The series of these label values, made at first use, as many values as the family has label names, else NULL. The same
 * values give the same handle; keep it where it is hot. */
midst_push_series* midst_push_series_of(midst_push_family* family, const char* const* label_values, int64_t label_count);

/* A call that does not fit the type of the series, or a value that it cannot take, is ignored. */
void midst_push_inc(midst_push_series* series);                    /* counter, gauge: + 1 */
void midst_push_add(midst_push_series* series, double amount);     /* counter: not negative; gauge */
void midst_push_set(midst_push_series* series, double value);      /* gauge */
void midst_push_observe(midst_push_series* series, double value);  /* histogram */
void midst_push_observe_many(midst_push_series* series, const double* values, int64_t count);

/* The same with an exemplar: the newest of each counter or bucket between two flushes is sent along. span_id may be NULL. */
void midst_push_add_exemplar(midst_push_series* series, double amount, const uint8_t trace_id[16],
                             const uint8_t span_id[8]);
void midst_push_observe_exemplar(midst_push_series* series, double value, const uint8_t trace_id[16],
                                 const uint8_t span_id[8]);

/* Takes a gauge off the page until it is set again. */
void midst_push_remove(midst_push_family* family, const char* const* label_values, int64_t label_count);

/* Of this process since the client was opened or the process was forked. */
typedef struct midst_push_stats {
  int64_t flushes, skipped_flushes, reconnects, send_errors, bytes_sent, rejected_series, overflowed_series;
  int64_t is_connected; /* 0 or 1 */
} midst_push_stats;

/* Fills what fits into size bytes, the rest with 0; size is sizeof(midst_push_stats). */
void midst_push_get_stats(midst_push_client* client, midst_push_stats* stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif
