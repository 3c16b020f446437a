/* A stranger's program in C11: SOCKET. Every function of midst_push.h, used rightly and wrongly, from threads and across a
 * fork; the exit code is the line that was not as promised. */
#include <midst_push.h>

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(claim) \
  do {                \
    if (!(claim)) _exit(__LINE__ > 255 ? 255 : __LINE__); \
  } while (0)

enum { threads = 4, rounds = 10000 };

static int problems;

static void on_problem(void* context, const char* what, const char* detail) {
  ++*(int*)context;
  EXPECT(strlen(what) > 0 && detail != NULL);
}

static void* count(void* context) {
  midst_push_family* const family = context;
  const char* const values[] = {"thread"};
  for (int i = 0; i < rounds; ++i) midst_push_inc(midst_push_series_of(family, values, 1));
  return NULL;
}

/* Nothing here may count, crash or end the program. */
static void misuse(midst_push_client* client, midst_push_series* counter, midst_push_series* gauge) {
  const char* const one[] = {"a"};
  midst_push_inc(NULL);
  midst_push_add(NULL, 1);
  midst_push_set(NULL, 1);
  midst_push_observe(NULL, 1);
  midst_push_observe_many(NULL, NULL, 3);
  midst_push_remove(NULL, one, 1);
  midst_push_close(NULL);
  midst_push_get_stats(client, NULL, 8);
  midst_push_get_stats(NULL, NULL, 8);
  midst_push_add(counter, -1);
  midst_push_set(counter, 5);
  midst_push_observe(counter, 5);
  midst_push_observe(gauge, 5);
  midst_push_observe_exemplar(gauge, 5, NULL, NULL);
  EXPECT(midst_push_counter(NULL, "x_total", "X.", NULL, 0) == NULL);
  EXPECT(midst_push_counter(client, NULL, NULL, NULL, 0) == NULL);
  EXPECT(midst_push_counter(client, "not a name", "X.", NULL, 0) == NULL);
  EXPECT(midst_push_gauge(client, "x", "X.", NULL, 0, 9) == NULL);
  EXPECT(midst_push_series_of(NULL, one, 1) == NULL);
  EXPECT(midst_push_flush(NULL, 1) == 0);
}

int main(int argc, char** argv) {
  EXPECT(argc == 2 && midst_push_abi() == MIDST_PUSH_ABI);
  midst_push_client* const client = midst_push_open(argv[1], "stranger in C", 0, 5, on_problem, &problems);
  EXPECT(client != NULL);
  const char* const names[] = {"kind"};
  const char *const thread[] = {"thread"}, *const other[] = {"other"};
  midst_push_family* const jobs = midst_push_counter(client, "c_jobs_total", "Jobs.", names, 1);
  EXPECT(jobs != NULL && jobs == midst_push_counter(client, "c_jobs_total", "Jobs.", names, 1));
  midst_push_series* const job = midst_push_series_of(jobs, thread, 1);
  EXPECT(job != NULL && job == midst_push_series_of(jobs, thread, 1) && job != midst_push_series_of(jobs, other, 1));
  EXPECT(midst_push_series_of(jobs, thread, 0) == NULL && midst_push_series_of(jobs, NULL, -1) == NULL);

  pthread_t workers[threads];
  for (int i = 0; i < threads; ++i) EXPECT(pthread_create(&workers[i], NULL, count, jobs) == 0);
  for (int i = 0; i < threads; ++i) EXPECT(pthread_join(workers[i], NULL) == 0);
  midst_push_add(midst_push_series_of(jobs, other, 1), 2.5);

  midst_push_family* const levels = midst_push_gauge(client, "c_level", "Level.", names, 1, MIDST_PUSH_SUM);
  midst_push_set(midst_push_series_of(levels, thread, 1), 7);
  midst_push_add(midst_push_series_of(levels, thread, 1), -2);
  midst_push_set(midst_push_series_of(levels, other, 1), 1);
  EXPECT(midst_push_flush(client, 10000) == 1);
  midst_push_remove(levels, other, 1);

  const double bounds[] = {1, 2}, values[] = {0.5, 1.5, 2.5};
  const uint8_t trace[16] = {0xaa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, span[8] = {0xbb, 1, 2, 3, 4, 5, 6, 7};
  midst_push_series* const took =
      midst_push_series_of(midst_push_histogram(client, "c_seconds", "Time.", NULL, 0, bounds, 2), NULL, 0);
  midst_push_observe(took, 0.25);
  midst_push_observe_many(took, values, 3);
  midst_push_observe_exemplar(took, 1.25, trace, span);

  misuse(client, job, midst_push_series_of(levels, thread, 1));
  EXPECT(midst_push_histogram(client, "c_jobs_total", "Jobs.", names, 1, bounds, 2) == NULL);
  EXPECT(problems == 3);

  /* The sixth series and the seventh are one: the family's overflow series. */
  const char *const sixth[] = {"6"}, *const seventh[] = {"7"};
  EXPECT(midst_push_series_of(jobs, sixth, 1) == midst_push_series_of(jobs, seventh, 1));

  const pid_t child = fork();
  if (child == 0) {
    midst_push_add(job, 100);
    midst_push_inc(midst_push_series_of(jobs, thread, 1));
    midst_push_close(client);
    _exit(0);
  }
  int status = 1;
  EXPECT(waitpid(child, &status, 0) == child && status == 0);

  EXPECT(midst_push_flush(client, 10000) == 1);
  midst_push_stats stats;
  midst_push_get_stats(client, &stats, sizeof stats);
  EXPECT(stats.is_connected == 1 && stats.flushes > 0 && stats.bytes_sent > 0 && stats.overflowed_series == 2);
  memset(&stats, 0x55, sizeof stats);
  midst_push_get_stats(client, &stats, 2 * sizeof(int64_t));
  EXPECT(stats.flushes > 0 && stats.reconnects == 0x5555555555555555);
  midst_push_close(client);
  return 0;
}
