/* Signs in, shows the twin and a setting, reports a property, and leaves.
 *
 *   quickstart "HostName=...;DeviceId=...;ModuleId=...;SharedAccessKey=..." [CA-FILE]
 */
#include <stdio.h>
#include <stdlib.h>

#include "twinguard.h"

static void check(twinguard_status status, twinguard_error *error) {
  if (status != TWINGUARD_OK) {
    fprintf(stderr, "%s: %s\n", twinguard_status_name(status).ptr, twinguard_error_message(error).ptr);
    exit(1);
  }
}

int main(int argc, char **argv) {
  static char pem[65536];
  twinguard_error *e = NULL;
  twinguard_options *options = NULL;
  twinguard_client *client = NULL;
  twinguard_twin *twin = NULL;
  twinguard_configuration *configuration = NULL;
  uint64_t generation, version, ms;

  check(twinguard_options_new(twinguard_str_c(argc > 1 ? argv[1] : ""), &options, &e), e);
  FILE *ca = argc > 2 ? fopen(argv[2], "r") : NULL; /* a local hub; a real one needs none */
  if (ca != NULL) {
    twinguard_str text = {pem, fread(pem, 1, sizeof pem, ca)};
    fclose(ca);
    check(twinguard_options_set_roots_pem(options, text, TWINGUARD_ROOTS_ADD, &e), e);
  }
  check(twinguard_client_new(&options, &client, &e), e);
  check(twinguard_client_connect(client, &e), e);
  check(twinguard_client_wait_running(client, 30000, &e), e);

  check(twinguard_client_twin(client, &twin, &e), e);
  printf("desired: %s\n", twinguard_twin_desired(twin).ptr);
  check(twinguard_client_configuration(client, &configuration, &e), e);
  twinguard_str key = TWINGUARD_STR("highPriorityMessageFrequency");
  check(twinguard_configuration_duration_ms(configuration, key, &ms, &e), e);
  printf("%s: %llu ms\n", key.ptr, (unsigned long long)ms);

  twinguard_str report = TWINGUARD_STR("{\"agent\":{\"program\":\"quickstart.c\"}}");
  check(twinguard_client_set_reported(client, report, &generation, &e), e);
  check(twinguard_client_wait_reported(client, generation, 30000, &version, &e), e);
  printf("reported: version %llu\n", (unsigned long long)version);

  twinguard_configuration_free(configuration);
  twinguard_twin_free(twin);
  check(twinguard_client_close(client, 5000, &e), e);
  twinguard_client_free(client);
  return 0;
}
