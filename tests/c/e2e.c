/*
 * A module against a hub, one scenario at a time:
 *
 *   e2e SCENARIO CONNECTION-STRING CA-FILE [STORE]
 *
 * The harness, tests/rust/c_e2e.rs, is operator and hub: it waits for the lines that this program
 * prints and does its part, then tells by a line on standard input that it is done.
 */
#define _POSIX_C_SOURCE 200809L
#include "e2e.h"

/* Before the program is closed: everything is new. */
static void offline_first(const arguments *given) {
  module self;
  start(&self, settings(given));
  until_told(&self, "hub /drop: none -> {\"deep\":true}");
  until_state(&self, TWINGUARD_STATE_RUNNING, 1);
  finish(&self);
}

/* Started again: what the operator did meanwhile is told once, the rest is restored. The change to
   /mark comes after all that, so that nothing can still follow. */
static void offline_second(const arguments *given) {
  module self;
  start(&self, settings(given));
  until_state(&self, TWINGUARD_STATE_RUNNING, 1);
  say("running");
  until_told(&self, "hub /mark: none -> 1");
  CHECK(told(&self, "stored /change: none -> 1") == 1);
  CHECK(told(&self, "stored /drop: none -> {\"deep\":true}") == 1);
  CHECK(told(&self, "stored /keep: none -> 1") == 1);
  CHECK(told(&self, "hub /change: 1 -> 2") == 1);
  CHECK(told(&self, "hub /drop: {\"deep\":true} -> deleted") == 1);
  CHECK(self.changed == 6);
  CHECK(view_is(&self, "{\"keep\":1,\"change\":2,\"mark\":1}"));
  finish(&self);
}

/* And again: what was told is not told a second time. */
static void offline_third(const arguments *given) {
  module self;
  start(&self, settings(given));
  until_state(&self, TWINGUARD_STATE_RUNNING, 1);
  say("running");
  until_told(&self, "hub /mark: 1 -> 2");
  CHECK(told(&self, "hub ") == 1);
  CHECK(told(&self, "stored /drop") == 0);
  CHECK(view_is(&self, "{\"keep\":1,\"change\":2,\"mark\":2}"));
  finish(&self);
}

/* The hub dies and comes back; both sides have news by then. */
static void restart(const arguments *given) {
  module self;
  uint64_t generation = 0;
  start(&self, settings(given));
  until_told(&self, "hub /a: none -> 1");
  until_state(&self, TWINGUARD_STATE_RUNNING, 1);
  say("running");
  until_state(&self, TWINGUARD_STATE_DISCONNECTED, 1);
  CHECK(twinguard_status_is_retryable(self.trouble));
  MUST(twinguard_client_set_reported(self.client, TWINGUARD_STR("{\"set\":\"while it was dead\"}"),
                                     &generation, &error));
  say("lost");
  until_acknowledged(&self, generation);
  until_state(&self, TWINGUARD_STATE_RUNNING, 2);
  say("back");
  until_told(&self, "hub /mark: none -> 1");
  CHECK(told(&self, "hub /a: 1 -> 2") == 1);
  CHECK(self.changed == 3);
  CHECK(view_is(&self, "{\"a\":2,\"mark\":1}"));
  finish(&self);
}

/* The hub is silent, its connection stands. */
static void frozen(const arguments *given) {
  module self;
  twinguard_twin *twin = NULL;
  twinguard_options *options = settings(given);
  MUST(twinguard_options_set_keep_alive_s(options, 5, &error));
  start(&self, options);
  until_state(&self, TWINGUARD_STATE_RUNNING, 1);
  say("running");
  hear("frozen");
  uint64_t began = now_ms();
  until_state(&self, TWINGUARD_STATE_DISCONNECTED, 1);
  uint64_t silent = now_ms() - began;
  /* 1.5 x 5 s is the goal; the bound leaves room for a slow machine. */
  if (silent >= 12000) {
    fprintf(stderr, "the silence was told after %lu ms\n", (unsigned long)silent);
    check_failures++;
  }
  CHECK_STATUS(TWINGUARD_ERR_NETWORK_TIMEOUT, self.trouble);
  say("noticed");
  until_state(&self, TWINGUARD_STATE_RUNNING, 2);
  MUST(twinguard_client_get_twin(self.client, PATIENCE_MS, &twin, &error));
  CHECK(twinguard_twin_is_synced(twin));
  twinguard_twin_free(twin);
  finish(&self);
}

/* A hundred states before there is a connection; only the last one counts. */
static void reported(const arguments *given) {
  module self;
  char document[64];
  uint64_t last = 0;
  make(&self, settings(given));
  for (int n = 0; n <= 100; n++) {
    snprintf(document, sizeof document, n < 50 ? "{\"n\":%d,\"gone\":true}" : "{\"n\":%d}", n);
    MUST(twinguard_client_set_reported(self.client, twinguard_str_c(document), &last, &error));
  }
  CHECK_STATUS(TWINGUARD_ERR_TIMEOUT,
               twinguard_client_wait_reported(self.client, last, 0, NULL, NULL));
  MUST(twinguard_client_connect(self.client, &error));
  MUST(twinguard_client_wait_reported(self.client, last, PATIENCE_MS, NULL, &error));
  until_acknowledged(&self, last);
  finish(&self);
}

/* Set in a life that never had a connection. */
static void reported_unsent(const arguments *given) {
  module self;
  make(&self, settings(given));
  MUST(twinguard_client_set_reported(self.client, TWINGUARD_STR("{\"n\":1,\"old\":true}"), NULL,
                                     &error));
  MUST(twinguard_client_set_reported(self.client, TWINGUARD_STR("{\"n\":2}"), NULL, &error));
  finish(&self);
}

/* The next life sends it, without a word of the program. */
static void reported_sent(const arguments *given) {
  module self;
  start(&self, settings(given));
  say("connecting");
  hear("arrived");
  finish(&self);
}

/* Two modules on one runtime; the connection string of the second one comes from the harness. */
static void two(const arguments *given) {
  module one, other;
  twinguard_runtime *runtime = NULL;
  char connection_string[512];
  hear_line(connection_string, sizeof connection_string);
  const arguments others = {connection_string, given->ca, NULL};
  twinguard_options *options[] = {settings(given), settings(&others)};
  MUST(twinguard_runtime_new(&runtime, &error));
  MUST(twinguard_options_set_runtime(options[0], runtime, &error));
  MUST(twinguard_options_set_runtime(options[1], runtime, &error));
  start(&one, options[0]);
  start(&other, options[1]);
  until_state(&one, TWINGUARD_STATE_RUNNING, 1);
  until_state(&other, TWINGUARD_STATE_RUNNING, 1);
  CHECK(twinguard_runtime_thread_count(runtime) == 1);
  until_at_most(threads, 2);
  CHECK(threads() == 2);
  say("running");
  until_told(&one, "hub /mark");
  until_told(&other, "hub /mark");
  CHECK(view_is(&one, "{\"me\":1,\"mark\":1}") && one.changed == 2);
  CHECK(view_is(&other, "{\"me\":2,\"mark\":2}") && other.changed == 2);
  finish(&one);
  CHECK(twinguard_runtime_thread_count(runtime) == 1);
  finish(&other);
  twinguard_runtime_free(runtime);
  until_at_most(threads, 1);
}

static void cycle(const arguments *given) {
  module self;
  start(&self, settings(given));
  MUST(twinguard_client_wait_running(self.client, PATIENCE_MS, &error));
  finish(&self);
}

/* Two hundred lives leave nothing behind. */
static void cycles(const arguments *given) {
  for (int i = 0; i < 20; i++) {
    cycle(given); /* the allocator and the resolver fill their caches */
  }
  until_at_most(threads, 1);
  size_t open = descriptors();
  long before = resident_kib();
  for (int i = 0; i < 200; i++) {
    cycle(given);
  }
  until_at_most(threads, 1);
  until_at_most(descriptors, open);
  /* Room for the allocator's own habits: 5 KiB a cycle, less than one connection's buffers. */
  long grown = resident_kib() - before;
  printf("resident %ld KiB, %ld more after 200 cycles\n", before, grown);
  CHECK(grown < 1024);
}

/* An error has a text that helps and no secret in it. */
static void check_words(const twinguard_error *error, const char *word) {
  twinguard_str message = twinguard_error_message(error), cause = twinguard_error_cause(error);
  CHECK(holds(message, word) || holds(cause, word));
  CHECK(!shows_secret(message) && !shows_secret(cause));
}

/* A hub with another CA: told at once; the client goes on trying. */
static void untrusted(const arguments *given) {
  module self;
  twinguard_error *error = NULL;
  start(&self, settings(given));
  until_trouble(&self);
  CHECK_STATUS(TWINGUARD_ERR_PEER_CERTIFICATE, self.trouble);
  CHECK_STATUS(TWINGUARD_ERR_TIMEOUT, twinguard_client_wait_running(self.client, 0, &error));
  check_words(error, "certificate");
  twinguard_error_free(error);
  finish(&self);
}

/* A key or a name that the hub does not take: waiting for it ends. */
static void unauthorized(const arguments *given) {
  module self;
  twinguard_error *error = NULL;
  start(&self, settings(given));
  CHECK_STATUS(TWINGUARD_ERR_UNAUTHORIZED,
               twinguard_client_wait_running(self.client, PATIENCE_MS, &error));
  CHECK(twinguard_error_status(error) == TWINGUARD_ERR_UNAUTHORIZED);
  check_words(error, "refused");
  twinguard_error_free(error);
  until_trouble(&self);
  CHECK_STATUS(TWINGUARD_ERR_UNAUTHORIZED, self.trouble);
  CHECK(self.states[TWINGUARD_STATE_RUNNING] == 0);
  finish(&self);
}

/* Closes with a second to do it in, whatever the hub does; nothing is left behind. */
static void close_in_time(module *self) {
  uint64_t began = now_ms();
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_close(self->client, 1000, NULL));
  CHECK(twinguard_client_state(self->client) == TWINGUARD_STATE_CLOSED);
  discard(self);
  until_at_most(threads, 1);
  CHECK(now_ms() - began < 5000); /* four seconds for a slow machine */
}

static void close_gone(const arguments *given) {
  module self;
  start(&self, settings(given));
  until_state(&self, TWINGUARD_STATE_RUNNING, 1);
  say("running");
  until_state(&self, TWINGUARD_STATE_DISCONNECTED, 1);
  close_in_time(&self);
}

/* With something to send that nobody takes. */
static void close_stopped(const arguments *given) {
  module self;
  start(&self, settings(given));
  until_state(&self, TWINGUARD_STATE_RUNNING, 1);
  say("running");
  hear("stopped");
  MUST(twinguard_client_set_reported(self.client, TWINGUARD_STR("{\"a\":1}"), NULL, &error));
  close_in_time(&self);
}

static void close_handshake(const arguments *given) {
  module self;
  start(&self, settings(given));
  hear("half done");
  CHECK(twinguard_client_state(self.client) == TWINGUARD_STATE_CONNECTING);
  close_in_time(&self);
}

static const struct {
  const char *name;
  void (*run)(const arguments *given);
} scenarios[] = {
    {"offline-first", offline_first},
    {"offline-second", offline_second},
    {"offline-third", offline_third},
    {"restart", restart},
    {"frozen", frozen},
    {"reported", reported},
    {"reported-unsent", reported_unsent},
    {"reported-sent", reported_sent},
    {"two", two},
    {"cycles", cycles},
    {"untrusted", untrusted},
    {"unauthorized", unauthorized},
    {"close-gone", close_gone},
    {"close-stopped", close_stopped},
    {"close-handshake", close_handshake},
};

static void run(const char *name, const arguments *given) {
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
    if (strcmp(name, scenarios[i].name) == 0) {
      scenarios[i].run(given);
      return;
    }
  }
  give_up("no scenario of that name");
}

int main(int argc, char **argv) {
  if (argc < 4) {
    give_up("usage: e2e SCENARIO CONNECTION-STRING CA-FILE [STORE]");
  }
  arguments given = {argv[2], argv[3], argc > 4 ? argv[4] : NULL};
  const char *key = strstr(given.connection_string, "SharedAccessKey=");
  if (key == NULL) {
    give_up("a connection string with a key is wanted");
  }
  secret = key + strlen("SharedAccessKey=");
  run(argv[1], &given);
  pthread_mutex_lock(&log_lock);
  CHECK(log_records > 0 && log_secrets == 0);
  pthread_mutex_unlock(&log_lock);
  return check_result(argv[1]);
}
