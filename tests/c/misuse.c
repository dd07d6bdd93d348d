/* What a caller does wrong is a status, and never worse. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* Everything takes NULL where it could be, and says so. */
static void null_objects(void) {
  twinguard_error *error = NULL;
  twinguard_options *options = NULL;
  twinguard_client *client = NULL;
  twinguard_runtime *runtime = NULL;
  twinguard_event *event = NULL;
  twinguard_twin *twin = NULL;
  twinguard_configuration *configuration = NULL;
  twinguard_shadow *shadow = NULL;
  twinguard_buf *buf = NULL;
  twinguard_str text = TWINGUARD_STR("{}");
  uint64_t number = 0;
  int32_t value = 0;
  bool flag = false;
  const twinguard_status null = TWINGUARD_ERR_NULL_ARGUMENT;

  CHECK_STATUS(null, twinguard_options_new(TWINGUARD_STR(NOWHERE), NULL, &error));
  CHECK(text_is(twinguard_error_message(error), "out_options is NULL"));
  twinguard_error_free(error);
  CHECK_STATUS(null, twinguard_options_set_roots_pem(NULL, text, TWINGUARD_ROOTS_ADD, NULL));
  CHECK_STATUS(null, twinguard_options_set_store_directory(NULL, text, NULL));
  CHECK_STATUS(null, twinguard_options_set_runtime(NULL, NULL, NULL));
  CHECK_STATUS(null, twinguard_options_set_agent(NULL, text, 0, 0, NULL));
  CHECK_STATUS(null, twinguard_options_set_report_configuration(NULL, true, NULL));
  CHECK_STATUS(null, twinguard_options_set_report_status(NULL, true, NULL));
  CHECK_STATUS(null, twinguard_options_set_token_lifetime_s(NULL, 60, NULL));
  CHECK_STATUS(null, twinguard_options_set_keep_alive_s(NULL, 60, NULL));
  CHECK_STATUS(null, twinguard_options_set_connect_timeout_ms(NULL, 1000, NULL));
  CHECK_STATUS(null, twinguard_options_set_request_timeout_ms(NULL, 1000, NULL));
  CHECK_STATUS(null, twinguard_options_set_backoff_max_ms(NULL, 1000, NULL));
  CHECK_STATUS(null, twinguard_options_set_event_capacity(NULL, 64, NULL));
  CHECK_STATUS(null, twinguard_client_new(NULL, &client, NULL));
  CHECK_STATUS(null, twinguard_client_new(&options, &client, NULL));
  CHECK_STATUS(null, twinguard_client_connect(NULL, NULL));
  CHECK_STATUS(null, twinguard_client_wait_running(NULL, 0, NULL));
  CHECK_STATUS(null, twinguard_client_next_event(NULL, 0, &event, NULL));
  CHECK_STATUS(null, twinguard_client_twin(NULL, &twin, NULL));
  CHECK_STATUS(null, twinguard_client_get_twin(NULL, 0, &twin, NULL));
  CHECK_STATUS(null, twinguard_client_configuration(NULL, &configuration, NULL));
  CHECK_STATUS(null, twinguard_client_set_reported(NULL, text, &number, NULL));
  CHECK_STATUS(null, twinguard_client_patch_reported(NULL, text, &number, NULL));
  CHECK_STATUS(null, twinguard_client_wait_reported(NULL, 1, 0, &number, NULL));
  CHECK_STATUS(null, twinguard_client_statistics(NULL, &buf, NULL));
  CHECK_STATUS(null, twinguard_client_close(NULL, 0, NULL));
  CHECK(twinguard_client_state(NULL) == null && twinguard_client_event_fd(NULL) == null);
  CHECK_STATUS(null, twinguard_runtime_new(NULL, NULL));
  CHECK(twinguard_runtime_thread_count(runtime) == 0);
  CHECK_STATUS(null, twinguard_shadow_new(TWINGUARD_STR(""), 0, 0, NULL, NULL));
  CHECK_STATUS(null, twinguard_shadow_apply_full(NULL, text, &value, NULL));
  CHECK_STATUS(null, twinguard_shadow_apply_patch(NULL, text, &value, NULL));
  CHECK_STATUS(null, twinguard_shadow_configuration(NULL, &configuration, NULL));
  CHECK_STATUS(null, twinguard_shadow_document(NULL, &buf, NULL));
  CHECK_STATUS(null, twinguard_configuration_errors(NULL, &buf, NULL));
  CHECK_STATUS(null, twinguard_configuration_duration_ms(NULL, text, &number, NULL));
  CHECK_STATUS(null, twinguard_configuration_number(NULL, text, &number, NULL));
  CHECK_STATUS(null, twinguard_configuration_flag(NULL, text, &flag, NULL));
  CHECK_STATUS(null, twinguard_configuration_priority(NULL, text, &value, NULL));
  CHECK_STATUS(null, twinguard_merge_patch(text, text, NULL, NULL));
  CHECK_STATUS(null, twinguard_diff(text, text, NULL, NULL));
  CHECK_STATUS(null, twinguard_sas_token_new(text, text, 1, text, NULL, NULL));
  CHECK_STATUS(null, twinguard_derive_key(text, text, NULL, NULL));
  CHECK_STATUS(null, twinguard_sign(text, text, NULL, NULL));
  CHECK_STATUS(null, twinguard_duration_parse(TWINGUARD_STR("PT1S"), NULL, NULL));
  CHECK_STATUS(null, twinguard_duration_format(1000, NULL, NULL));
  text.ptr = NULL;
  CHECK_STATUS(null, twinguard_merge_patch(text, text, &buf, NULL));
  CHECK_STATUS(null, twinguard_sign(TWINGUARD_STR("a2V5"), text, &buf, NULL));
  CHECK_STATUS(null, twinguard_sign(text, TWINGUARD_STR("data"), &buf, NULL));
  CHECK(!options && !client && !event && !twin && !configuration && !shadow && !buf);
}

/* Accessors of nothing answer with nothing. */
static void null_accessors(void) {
  uint64_t number = 0;
  uint16_t code = 0;
  CHECK(twinguard_error_status(NULL) == TWINGUARD_OK);
  CHECK(twinguard_error_message(NULL).ptr == NULL && twinguard_error_pointer(NULL).ptr == NULL);
  CHECK(twinguard_error_cause(NULL).ptr == NULL && twinguard_buf_text(NULL).ptr == NULL);
  CHECK(twinguard_event_kind(NULL) == TWINGUARD_EVENT_NONE && twinguard_event_state(NULL) == -1);
  CHECK(!twinguard_event_retry_in_ms(NULL, &number) && !twinguard_event_hub_code(NULL, &code));
  CHECK(twinguard_event_trouble(NULL) == TWINGUARD_OK && twinguard_event_message(NULL).len == 0);
  CHECK(!twinguard_event_desired_version(NULL, &number) && !twinguard_event_is_stored(NULL));
  CHECK(twinguard_event_patch(NULL).ptr == NULL && twinguard_event_change_count(NULL) == 0);
  CHECK(twinguard_event_change_pointer(NULL, 0).ptr == NULL);
  CHECK(twinguard_event_change_old(NULL, 0).ptr == NULL);
  CHECK(twinguard_event_change_new(NULL, SIZE_MAX).ptr == NULL);
  CHECK(twinguard_event_configuration(NULL) == NULL && !twinguard_event_is_acknowledged(NULL));
  CHECK(twinguard_event_reported_generation(NULL) == 0);
  CHECK(!twinguard_event_reported_version(NULL, &number));
  CHECK(twinguard_twin_desired(NULL).ptr == NULL && twinguard_twin_reported(NULL).ptr == NULL);
  CHECK(!twinguard_twin_desired_version(NULL, &number) && !twinguard_twin_is_synced(NULL));
  CHECK(!twinguard_twin_reported_version(NULL, NULL));
  CHECK(!twinguard_configuration_is_success(NULL) && twinguard_configuration_json(NULL).len == 0);
  CHECK(twinguard_configuration_evaluation_json(NULL).ptr == NULL);
  CHECK(!twinguard_configuration_desired_version(NULL, &number));
  CHECK(twinguard_configuration_text(NULL, TWINGUARD_STR("x")).ptr == NULL);
  CHECK(twinguard_configuration_refused_count(NULL) == 0);
  CHECK(twinguard_configuration_refused_key(NULL, 0).ptr == NULL);
  CHECK(twinguard_configuration_refused_pointer(NULL, 0).ptr == NULL);
  CHECK(twinguard_configuration_refused_expected(NULL, 0).ptr == NULL);
  CHECK(twinguard_configuration_refused_message(NULL, 0).ptr == NULL);
  CHECK(text_is(twinguard_status_name(12345), "UNKNOWN"));
  CHECK(text_is(twinguard_state_name(12345), "Unknown"));
}

static void free_nothing(void) {
  twinguard_buf_free(NULL);
  twinguard_error_free(NULL);
  twinguard_options_free(NULL);
  twinguard_runtime_free(NULL);
  twinguard_client_free(NULL);
  twinguard_event_free(NULL);
  twinguard_twin_free(NULL);
  twinguard_configuration_free(NULL);
  twinguard_shadow_free(NULL);
}

static twinguard_options *new_options(void) {
  twinguard_options *options = NULL;
  CHECK_STATUS(TWINGUARD_OK, twinguard_options_new(TWINGUARD_STR(NOWHERE), &options, NULL));
  return options;
}

static void bad_connection_strings(void) {
  static const char *const bad[] = {
      "", "HostName", "HostName=;DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0",
      "HostName=h;DeviceId=d;SharedAccessKey=c2VjcmV0",
      "HostName=h;DeviceId=d;ModuleId=m",
      "HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=secret-text!",
      "HostName=h;HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0"};
  twinguard_options *options = NULL;
  twinguard_error *error = NULL;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    twinguard_status status = twinguard_options_new(twinguard_str_c(bad[i]), &options, &error);
    CHECK(status == TWINGUARD_ERR_CONNECTION_STRING || status == TWINGUARD_ERR_KEY);
    CHECK(options == NULL && twinguard_error_status(error) == status);
    CHECK(strstr(twinguard_error_message(error).ptr, "secret-text") == NULL);
    twinguard_error_free(error);
  }
  CHECK_STATUS(TWINGUARD_ERR_ENCODING,
               twinguard_options_new(TWINGUARD_STR("HostName=\xc3"), &options, NULL));
  CHECK_STATUS(TWINGUARD_OK, twinguard_options_new(TWINGUARD_STR(NOWHERE), &options, &error));
  CHECK(error == NULL); /* written on success too */
  twinguard_options_free(options);
}

/* A count of drops, and of what a log function was told. */
typedef struct {
  pthread_mutex_t lock;
  twinguard_client *client;
  int drops, calls, wrong_answers;
} witness;

static void drop_witness(void *user_data) {
  witness *seen = user_data;
  pthread_mutex_lock(&seen->lock);
  seen->drops++;
  pthread_mutex_unlock(&seen->lock);
}

/* Calls the client from inside, which it has to refuse. */
static void log_reentrant(int32_t level, twinguard_str target, twinguard_str module,
                          twinguard_str message, void *user_data) {
  witness *seen = user_data;
  twinguard_event *event = NULL;
  twinguard_twin *twin = NULL;
  const twinguard_status wanted = TWINGUARD_ERR_REENTRANT;
  int wrong = level < TWINGUARD_LOG_ERROR || level > TWINGUARD_LOG_TRACE || target.len == 0 ||
              module.len != strlen("device/module") || message.len == 0;
  pthread_mutex_lock(&seen->lock);
  if (seen->client != NULL) {
    seen->calls++;
    wrong += twinguard_client_state(seen->client) != wanted;
    wrong += twinguard_client_event_fd(seen->client) != wanted;
    wrong += twinguard_client_connect(seen->client, NULL) != wanted;
    wrong += twinguard_client_next_event(seen->client, 1000, &event, NULL) != wanted;
    wrong += twinguard_client_get_twin(seen->client, 1000, &twin, NULL) != wanted;
    wrong += twinguard_client_close(seen->client, 1000, NULL) != wanted;
    wrong += twinguard_status_name(wanted).len == 0; /* this is allowed */
  }
  seen->wrong_answers += wrong;
  pthread_mutex_unlock(&seen->lock);
}

static void options_and_drop(void) {
  witness seen = {PTHREAD_MUTEX_INITIALIZER, NULL, 0, 0, 0};
  twinguard_options *options = new_options();
  twinguard_client *client = NULL;
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT, twinguard_options_set_agent(options, TWINGUARD_STR(""),
                                                                           7, 0, NULL));
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT, twinguard_options_set_agent(options, TWINGUARD_STR(""),
                                                                           0, -1, NULL));
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT,
               twinguard_options_set_roots_pem(options, TWINGUARD_STR(""), 9, NULL));
  CHECK_STATUS(TWINGUARD_ERR_CERTIFICATE,
               twinguard_options_set_roots_pem(options, TWINGUARD_STR("no certificate"),
                                               TWINGUARD_ROOTS_ADD, NULL));
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT,
               twinguard_options_set_store_directory(options, TWINGUARD_STR(""), NULL));
  CHECK_STATUS(TWINGUARD_ERR_NULL_ARGUMENT, twinguard_options_set_runtime(options, NULL, NULL));

  /* The drop function runs once: after a failure of any kind, after a replacement, at the end. */
  CHECK_STATUS(TWINGUARD_ERR_NULL_ARGUMENT,
               twinguard_options_set_log_sink(NULL, TWINGUARD_LOG_INFO, log_reentrant, &seen,
                                              drop_witness, NULL));
  CHECK(seen.drops == 1);
  CHECK_STATUS(TWINGUARD_ERR_NULL_ARGUMENT,
               twinguard_options_set_log_sink(options, TWINGUARD_LOG_INFO, NULL, &seen, drop_witness,
                                              NULL));
  CHECK(seen.drops == 2);
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT,
               twinguard_options_set_log_sink(options, 0, log_reentrant, &seen, drop_witness, NULL));
  CHECK(seen.drops == 3);
  CHECK_STATUS(TWINGUARD_OK, twinguard_options_set_log_sink(options, TWINGUARD_LOG_INFO,
                                                            log_reentrant, &seen, drop_witness,
                                                            NULL));
  CHECK(seen.drops == 3);
  CHECK_STATUS(TWINGUARD_OK, twinguard_options_set_log_sink(options, TWINGUARD_LOG_TRACE,
                                                            log_reentrant, &seen, drop_witness,
                                                            NULL));
  CHECK(seen.drops == 4);

  /* Out of range: told when the client is made, and the options are gone either way. */
  CHECK_STATUS(TWINGUARD_OK, twinguard_options_set_keep_alive_s(options, 1, NULL));
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT, twinguard_client_new(&options, &client, NULL));
  CHECK(options == NULL && client == NULL && seen.drops == 5);
  CHECK_STATUS(TWINGUARD_ERR_NULL_ARGUMENT, twinguard_client_new(&options, &client, NULL));

  options = new_options();
  CHECK_STATUS(TWINGUARD_OK, twinguard_options_set_log_sink(options, TWINGUARD_LOG_INFO,
                                                            log_reentrant, &seen, drop_witness,
                                                            NULL));
  twinguard_options_free(options);
  CHECK(seen.drops == 6);
  options = new_options();
  CHECK_STATUS(TWINGUARD_ERR_NULL_ARGUMENT, twinguard_client_new(&options, NULL, NULL));
  CHECK(options == NULL);
}

static void wrong_states(void) {
  twinguard_options *options = new_options();
  twinguard_client *client = NULL;
  twinguard_event *event = NULL;
  twinguard_twin *twin = NULL;
  twinguard_error *error = NULL;
  uint64_t generation = 0;
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_new(&options, &client, NULL));
  CHECK(options == NULL);
  CHECK(twinguard_client_state(client) == TWINGUARD_STATE_STARTING);
  CHECK_STATUS(TWINGUARD_ERR_WRONG_STATE, twinguard_client_wait_running(client, 0, NULL));
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_next_event(client, 0, &event, NULL));
  CHECK(event == NULL);
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT,
               twinguard_client_wait_reported(client, 99, 0, NULL, NULL));
  CHECK_STATUS(TWINGUARD_ERR_TWIN_LIMIT,
               twinguard_client_set_reported(client, TWINGUARD_STR("{\"a\":{\"b.c\":1}}"), &generation,
                                             &error));
  CHECK(text_is(twinguard_error_pointer(error), "/a/b.c"));
  twinguard_error_free(error);
  CHECK_STATUS(TWINGUARD_ERR_JSON,
               twinguard_client_set_reported(client, TWINGUARD_STR("[1]"), &generation, NULL));
  CHECK(generation == 0);
  CHECK_STATUS(TWINGUARD_OK,
               twinguard_client_set_reported(client, TWINGUARD_STR("{\"a\":1}"), &generation, NULL));
  CHECK(generation > 0);
  CHECK_STATUS(TWINGUARD_ERR_TIMEOUT,
               twinguard_client_wait_reported(client, generation, 0, NULL, NULL));

  CHECK_STATUS(TWINGUARD_OK, twinguard_client_close(client, 5000, NULL));
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_close(client, 5000, NULL));
  CHECK(twinguard_client_state(client) == TWINGUARD_STATE_CLOSED);
  CHECK_STATUS(TWINGUARD_ERR_CLOSED, twinguard_client_connect(client, NULL));
  CHECK_STATUS(TWINGUARD_ERR_CLOSED, twinguard_client_wait_running(client, 1000, NULL));
  CHECK_STATUS(TWINGUARD_ERR_CLOSED, twinguard_client_get_twin(client, 1000, &twin, NULL));
  CHECK_STATUS(TWINGUARD_ERR_CLOSED,
               twinguard_client_set_reported(client, TWINGUARD_STR("{}"), NULL, NULL));
  CHECK_STATUS(TWINGUARD_ERR_CLOSED,
               twinguard_client_patch_reported(client, TWINGUARD_STR("{}"), NULL, NULL));
  twinguard_status status;
  while ((status = twinguard_client_next_event(client, 1000, &event, NULL)) == TWINGUARD_OK) {
    twinguard_event_free(event);
  }
  CHECK(status == TWINGUARD_ERR_CLOSED);
  /* What needs no connection still answers. */
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_twin(client, &twin, NULL));
  CHECK(text_is(twinguard_twin_desired(twin), "{}"));
  twinguard_twin_free(twin);
  twinguard_client_free(client);
}

static void reentry(void) {
  witness seen = {PTHREAD_MUTEX_INITIALIZER, NULL, 0, 0, 0};
  twinguard_options *options = new_options();
  twinguard_client *client = NULL;
  CHECK_STATUS(TWINGUARD_OK, twinguard_options_set_log_sink(options, TWINGUARD_LOG_TRACE,
                                                            log_reentrant, &seen, drop_witness,
                                                            NULL));
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_new(&options, &client, NULL));
  pthread_mutex_lock(&seen.lock);
  seen.client = client;
  pthread_mutex_unlock(&seen.lock);
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_connect(client, NULL));
  /* Nobody listens there: wait until that has been told, and so logged. */
  for (int i = 0, done = 0; i < 30 && !done; i++) {
    twinguard_event *event = NULL;
    CHECK_STATUS(TWINGUARD_OK, twinguard_client_next_event(client, 1000, &event, NULL));
    done = twinguard_event_trouble(event) != TWINGUARD_OK;
    twinguard_event_free(event);
  }
  pthread_mutex_lock(&seen.lock);
  seen.client = NULL;
  CHECK(seen.calls > 0);
  CHECK(seen.wrong_answers == 0);
  CHECK(seen.drops == 0);
  pthread_mutex_unlock(&seen.lock);
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_close(client, 5000, NULL));
  twinguard_client_free(client);
  pthread_mutex_lock(&seen.lock);
  CHECK(seen.drops == 1);
  pthread_mutex_unlock(&seen.lock);
}

static void forked(void) {
  twinguard_options *options = new_options();
  twinguard_client *client = NULL;
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_new(&options, &client, NULL));
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_connect(client, NULL));
  pid_t child = fork();
  if (child == 0) {
    const twinguard_status wanted = TWINGUARD_ERR_FORKED;
    twinguard_event *event = NULL;
    twinguard_twin *twin = NULL;
    int wrong = 0;
    wrong += twinguard_client_connect(client, NULL) != wanted;
    wrong += twinguard_client_wait_running(client, 1000, NULL) != wanted;
    wrong += twinguard_client_next_event(client, 1000, &event, NULL) != wanted;
    wrong += twinguard_client_twin(client, &twin, NULL) != wanted;
    wrong += twinguard_client_state(client) != wanted;
    wrong += twinguard_client_close(client, 1000, NULL) != wanted;
    twinguard_client_free(client);
    /* What the I/O thread of the parent held is lost in a child. A new program has no leaks. */
    execl("/bin/sh", "sh", "-c", wrong == 0 ? "exit 0" : "exit 1", (char *)NULL);
    _exit(2);
  }
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(twinguard_client_state(client) >= 0);
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_close(client, 5000, NULL));
  twinguard_client_free(client);
}

int main(void) {
  null_objects();
  null_accessors();
  free_nothing();
  bad_connection_strings();
  options_and_drop();
  wrong_states();
  reentry();
  forked();
  return check_result("misuse");
}
