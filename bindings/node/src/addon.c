/* midst_push.h for Node, function by function. Handles are externals; null stands for one that counts nowhere. index.js keeps
 * handles from being used after close(). */
#include <midst_push.h>
#include <node_api.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { max_arguments = 6 };

/* --- arguments: every reader gives an empty value for what is not of its type */

static void* handle_of(napi_env env, napi_value value) {
  void* handle = NULL;
  return napi_get_value_external(env, value, &handle) == napi_ok ? handle : NULL;
}

static double number_of(napi_env env, napi_value value) {
  double number = 0;
  return napi_get_value_double(env, value, &number) == napi_ok ? number : 0;
}

static int64_t integer_of(napi_env env, napi_value value) {
  int64_t number = 0;
  return napi_get_value_int64(env, value, &number) == napi_ok ? number : 0;
}

/* To be freed. A null byte, which would end the string early, becomes '?'. */
static char* text_of(napi_env env, napi_value value) {
  size_t size = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) size = 0;
  char* const text = calloc(size + 1, 1);
  if (text == NULL || size == 0) return text;
  napi_get_value_string_utf8(env, value, text, size + 1, &size);
  for (size_t i = 0; i < size; ++i)
    if (text[i] == '\0') text[i] = '?';
  return text;
}

struct texts {
  char** texts;
  uint32_t count;
};

static struct texts texts_of(napi_env env, napi_value array) {
  struct texts found = {NULL, 0};
  uint32_t count = 0;
  if (napi_get_array_length(env, array, &count) != napi_ok || count == 0) return found;
  found.texts = calloc(count, sizeof *found.texts);
  for (; found.texts != NULL && found.count < count; ++found.count) {
    napi_value element;
    napi_get_element(env, array, found.count, &element);
    found.texts[found.count] = text_of(env, element);
  }
  return found;
}

static void free_texts(struct texts texts) {
  for (uint32_t i = 0; i < texts.count; ++i) free(texts.texts[i]);
  free(texts.texts);
}

/* --- results */

static napi_value null_of(napi_env env) {
  napi_value value;
  napi_get_null(env, &value);
  return value;
}

static napi_value external_of(napi_env env, void* handle) {
  napi_value value;
  if (handle == NULL || napi_create_external(env, handle, NULL, NULL, &value) != napi_ok) return null_of(env);
  return value;
}

/* The arguments, as many as a function has; what was not given is undefined. */
#define ARGUMENTS(env, info)                \
  napi_value arguments[max_arguments];      \
  size_t argument_count = max_arguments;    \
  napi_get_cb_info(env, info, &argument_count, arguments, NULL, NULL)

/* --- the functions */

static napi_value open_client(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info);
  char *const path = text_of(env, arguments[0]), *const resource = text_of(env, arguments[1]);
  midst_push_client* client = NULL;
  if (path != NULL && resource != NULL)
    client = midst_push_open(path[0] == '\0' ? NULL : path, resource, integer_of(env, arguments[2]),
                             integer_of(env, arguments[3]), NULL, NULL);
  free(path);
  free(resource);
  if (client == NULL) napi_throw_error(env, NULL, "midst_push_open has failed");
  return external_of(env, client);
}

static napi_value close_client(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info);
  midst_push_close(handle_of(env, arguments[0]));
  return null_of(env);
}

enum kind { counter, gauge, histogram };

static napi_value declare(napi_env env, napi_callback_info info, enum kind kind) {
  ARGUMENTS(env, info);
  midst_push_client* const client = handle_of(env, arguments[0]);
  char *const name = text_of(env, arguments[1]), *const help = text_of(env, arguments[2]);
  const struct texts labels = texts_of(env, arguments[3]);
  const char* const* const names = (const char* const*)labels.texts;
  midst_push_family* family = NULL;
  if (kind == counter) family = midst_push_counter(client, name, help, names, labels.count);
  if (kind == gauge)
    family = midst_push_gauge(client, name, help, names, labels.count, (int)integer_of(env, arguments[4]));
  if (kind == histogram) {
    uint32_t count = 0;
    if (napi_get_array_length(env, arguments[4], &count) != napi_ok) count = 0;
    double* const bounds = calloc(count + 1, sizeof *bounds);
    for (uint32_t i = 0; bounds != NULL && i < count; ++i) {
      napi_value bound;
      napi_get_element(env, arguments[4], i, &bound);
      bounds[i] = number_of(env, bound);
    }
    if (bounds != NULL) family = midst_push_histogram(client, name, help, names, labels.count, bounds, count);
    free(bounds);
  }
  free_texts(labels);
  free(name);
  free(help);
  return external_of(env, family);
}

static napi_value declare_counter(napi_env env, napi_callback_info info) {
  return declare(env, info, counter);
}

static napi_value declare_gauge(napi_env env, napi_callback_info info) {
  return declare(env, info, gauge);
}

static napi_value declare_histogram(napi_env env, napi_callback_info info) {
  return declare(env, info, histogram);
}

static napi_value series_of(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info);
  const struct texts values = texts_of(env, arguments[1]);
  midst_push_series* const series =
      midst_push_series_of(handle_of(env, arguments[0]), (const char* const*)values.texts, values.count);
  free_texts(values);
  return external_of(env, series);
}

static napi_value remove_series(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info);
  const struct texts values = texts_of(env, arguments[1]);
  midst_push_remove(handle_of(env, arguments[0]), (const char* const*)values.texts, values.count);
  free_texts(values);
  return null_of(env);
}

static napi_value add(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info);
  midst_push_add(handle_of(env, arguments[0]), number_of(env, arguments[1]));
  return NULL;
}

static napi_value set(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info);
  midst_push_set(handle_of(env, arguments[0]), number_of(env, arguments[1]));
  return NULL;
}

static napi_value observe(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info);
  midst_push_observe(handle_of(env, arguments[0]), number_of(env, arguments[1]));
  return NULL;
}

/* 16 bytes of trace id and 8 of span id, or NULL. */
static const uint8_t* ids_of(napi_env env, napi_value buffer) {
  void* bytes = NULL;
  size_t size = 0;
  return napi_get_buffer_info(env, buffer, &bytes, &size) == napi_ok && size == 24 ? bytes : NULL;
}

static napi_value add_exemplar(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info);
  const uint8_t* const ids = ids_of(env, arguments[2]);
  midst_push_add_exemplar(handle_of(env, arguments[0]), number_of(env, arguments[1]), ids, ids ? ids + 16 : NULL);
  return NULL;
}

static napi_value observe_exemplar(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info);
  const uint8_t* const ids = ids_of(env, arguments[2]);
  midst_push_observe_exemplar(handle_of(env, arguments[0]), number_of(env, arguments[1]), ids, ids ? ids + 16 : NULL);
  return NULL;
}

static napi_value stats(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info);
  midst_push_stats found;
  midst_push_get_stats(handle_of(env, arguments[0]), &found, sizeof found);
  const struct {
    const char* name;
    int64_t count;
  } counts[] = {{"flushes", found.flushes},
                {"skippedFlushes", found.skipped_flushes},
                {"reconnects", found.reconnects},
                {"sendErrors", found.send_errors},
                {"bytesSent", found.bytes_sent},
                {"rejectedSeries", found.rejected_series},
                {"overflowedSeries", found.overflowed_series}};
  napi_value object, value;
  napi_create_object(env, &object);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i) {
    napi_create_int64(env, counts[i].count, &value);
    napi_set_named_property(env, object, counts[i].name, value);
  }
  napi_get_boolean(env, found.is_connected != 0, &value);
  napi_set_named_property(env, object, "isConnected", value);
  return object;
}

/* flush() waits, so it does that on a thread of Node's pool. */
struct flush {
  midst_push_client* client;
  int64_t timeout_ms;
  int is_acknowledged;
  napi_deferred deferred;
  napi_async_work work;
};

static void wait_for_flush(napi_env env, void* context) {
  (void)env;
  struct flush* const flush = context;
  flush->is_acknowledged = midst_push_flush(flush->client, flush->timeout_ms);
}

static void end_flush(napi_env env, napi_status status, void* context) {
  struct flush* const flush = context;
  napi_value result;
  napi_get_boolean(env, status == napi_ok && flush->is_acknowledged, &result);
  napi_resolve_deferred(env, flush->deferred, result);
  napi_delete_async_work(env, flush->work);
  free(flush);
}

static napi_value start_flush(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info);
  struct flush* const flush = calloc(1, sizeof *flush);
  napi_value promise, name;
  if (flush == NULL || napi_create_promise(env, &flush->deferred, &promise) != napi_ok) {
    free(flush);
    napi_throw_error(env, NULL, "no memory for a flush");
    return NULL;
  }
  flush->client = handle_of(env, arguments[0]);
  flush->timeout_ms = integer_of(env, arguments[1]);
  napi_create_string_utf8(env, "midst_push_flush", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, NULL, name, wait_for_flush, end_flush, flush, &flush->work);
  napi_queue_async_work(env, flush->work);
  return promise;
}

static napi_value initialize(napi_env env, napi_value exports) {
  static const struct {
    const char* name;
    napi_callback function;
  } functions[] = {{"open", open_client},         {"close", close_client},
                   {"counter", declare_counter},  {"gauge", declare_gauge},
                   {"histogram", declare_histogram}, {"seriesOf", series_of},
                   {"remove", remove_series},     {"add", add},
                   {"set", set},                  {"observe", observe},
                   {"addExemplar", add_exemplar}, {"observeExemplar", observe_exemplar},
                   {"stats", stats},              {"flush", start_flush}};
  for (size_t i = 0; i < sizeof functions / sizeof *functions; ++i) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  return exports;
}

NAPI_MODULE(NODE_GYP_MODULE_NAME, initialize)
