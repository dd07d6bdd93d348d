/* Prints how long each change of `/t` took to arrive; see benches/src/followers.rs. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "twinguard.h"

static long long monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void fail(twinguard_error *error) {
  fprintf(stderr, "%s\n", twinguard_error_message(error).ptr);
  exit(1);
}

static void show(const twinguard_event *event) {
  long long now = monotonic_ns();
  if (twinguard_event_kind(event) == TWINGUARD_EVENT_STATE &&
      twinguard_event_state(event) == TWINGUARD_STATE_RUNNING) {
    puts("ready");
  }
  if (twinguard_event_kind(event) == TWINGUARD_EVENT_DESIRED) {
    for (size_t i = 0; i < twinguard_event_change_count(event); i++) {
      if (strcmp(twinguard_event_change_pointer(event, i).ptr, "/t") == 0) {
        /* The value is JSON text: the number stands between quotes. */
        printf("%lld\n", now - atoll(twinguard_event_change_new(event, i).ptr + 1));
      }
    }
  }
  fflush(stdout);
}

/* Takes all events; false when the client is closed. */
static bool take_events(const twinguard_client *client) {
  twinguard_event *event = NULL;
  do {
    if (twinguard_client_next_event(client, 0, &event, NULL) != TWINGUARD_OK) {
      return false;
    }
    show(event);
    twinguard_event_free(event);
  } while (event != NULL);
  return true;
}

int main(int argc, char **argv) {
  static char pem[65536];
  twinguard_options *options = NULL;
  twinguard_client *client = NULL;
  twinguard_error *error = NULL;
  FILE *file = argc == 3 ? fopen(argv[2], "r") : NULL;
  if (file == NULL) {
    fprintf(stderr, "usage: follow CONNECTION-STRING CA-FILE\n");
    return 2;
  }
  twinguard_str roots = {pem, fread(pem, 1, sizeof pem, file)};
  fclose(file);
  if (twinguard_options_new(twinguard_str_c(argv[1]), &options, &error) != TWINGUARD_OK ||
      twinguard_options_set_roots_pem(options, roots, TWINGUARD_ROOTS_REPLACE, &error) !=
          TWINGUARD_OK ||
      twinguard_client_new(&options, &client, &error) != TWINGUARD_OK ||
      twinguard_client_connect(client, &error) != TWINGUARD_OK) {
    fail(error);
  }
  struct pollfd watched[2] = {{twinguard_client_event_fd(client), POLLIN, 0},
                              {STDIN_FILENO, POLLIN, 0}};
  while (poll(watched, 2, -1) > 0 && watched[1].revents == 0) {
    if (!take_events(client)) {
      break;
    }
  }
  twinguard_client_close(client, 5000, NULL);
  twinguard_client_free(client);
  return 0;
}
