/* Follow a module twin: print the configuration in force and each change of the desired section. */
#include <stdio.h>
#include <stdlib.h>

#include "twinguard.h"

static void check(twinguard_status status, twinguard_error *const *error) {
  if (status != TWINGUARD_OK) {
    fprintf(stderr, "%s\n", twinguard_error_message(*error).ptr);
    exit(1);
  }
}

static void show(const twinguard_event *event) {
  for (size_t i = 0; i < twinguard_event_change_count(event); i++) {
    const char *old = twinguard_event_change_old(event, i).ptr;
    const char *new = twinguard_event_change_new(event, i).ptr;
    printf("%s: %s -> %s\n", twinguard_event_change_pointer(event, i).ptr, old ? old : "(none)",
           new ? new : "(deleted)");
  }
  if (twinguard_event_kind(event) == TWINGUARD_EVENT_CONFIGURATION) {
    const twinguard_configuration *configuration = twinguard_event_configuration(event);
    twinguard_str key = TWINGUARD_STR("highPriorityMessageFrequency");
    twinguard_error *error = NULL;
    uint64_t ms = 0;
    check(twinguard_configuration_duration_ms(configuration, key, &ms, &error), &error);
    printf("send urgent events every %llu s\n", (unsigned long long)ms / 1000);
  }
  fflush(stdout);
}

int main(void) {
  twinguard_error *error = NULL;
  twinguard_options *options = NULL;
  twinguard_client *client = NULL;
  const char *text = getenv("TWINGUARD_CONNECTION_STRING"), *ca = getenv("TWINGUARD_CA");
  check(twinguard_options_new(twinguard_str_c(text), &options, &error), &error);
  FILE *file = ca ? fopen(ca, "r") : NULL; /* Of a hub with its own CA, such as the local one. */
  if (file != NULL) {
    static char text[65536];
    twinguard_str pem = {text, fread(text, 1, sizeof text, file)};
    fclose(file);
    check(twinguard_options_set_roots_pem(options, pem, TWINGUARD_ROOTS_REPLACE, &error), &error);
  }
  check(twinguard_client_new(&options, &client, &error), &error);
  check(twinguard_client_connect(client, &error), &error);
  twinguard_str report = TWINGUARD_STR("{\"firmware\":\"1.0.3\"}");
  check(twinguard_client_patch_reported(client, report, NULL, &error), &error);
  for (;;) {
    twinguard_event *event = NULL;
    check(twinguard_client_next_event(client, 3600000, &event, &error), &error);
    show(event); /* Without an event it has nothing to show. */
    twinguard_event_free(event);
  }
}
