/* A panic stays inside, is told with its text, and makes the object unusable but freeable. */
#include "check.h"

/* Only in builds with the test hook. */
twinguard_status twinguard_test_panic(const twinguard_client *client, twinguard_error **error);

static twinguard_client *new_client(void) {
  twinguard_options *options = NULL;
  twinguard_client *client = NULL;
  CHECK_STATUS(TWINGUARD_OK, twinguard_options_new(TWINGUARD_STR(NOWHERE), &options, NULL));
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_new(&options, &client, NULL));
  return client;
}

int main(void) {
  twinguard_client *client = new_client(), *other = new_client();
  twinguard_error *error = NULL;
  twinguard_event *event = NULL;
  twinguard_twin *twin = NULL;
  uint64_t generation = 7;

  CHECK_STATUS(TWINGUARD_ERR_PANIC, twinguard_test_panic(client, &error));
  CHECK(twinguard_error_status(error) == TWINGUARD_ERR_PANIC);
  CHECK(text_is(twinguard_error_message(error), "panic: asked for"));
  twinguard_error_free(error);

  CHECK_STATUS(TWINGUARD_ERR_POISONED, twinguard_client_connect(client, &error));
  CHECK(twinguard_error_status(error) == TWINGUARD_ERR_POISONED);
  twinguard_error_free(error);
  CHECK_STATUS(TWINGUARD_ERR_POISONED, twinguard_test_panic(client, NULL));
  CHECK_STATUS(TWINGUARD_ERR_POISONED, twinguard_client_wait_running(client, 0, NULL));
  CHECK_STATUS(TWINGUARD_ERR_POISONED, twinguard_client_next_event(client, 0, &event, NULL));
  CHECK_STATUS(TWINGUARD_ERR_POISONED, twinguard_client_twin(client, &twin, NULL));
  CHECK_STATUS(TWINGUARD_ERR_POISONED,
               twinguard_client_set_reported(client, TWINGUARD_STR("{}"), &generation, NULL));
  CHECK_STATUS(TWINGUARD_ERR_POISONED, twinguard_client_close(client, 0, NULL));
  CHECK(twinguard_client_state(client) == TWINGUARD_ERR_POISONED);
  CHECK(twinguard_client_event_fd(client) == TWINGUARD_ERR_POISONED);
  CHECK(event == NULL && twin == NULL && generation == 7);
  twinguard_client_free(client);

  /* Nobody else is touched. */
  CHECK(twinguard_client_state(other) == TWINGUARD_STATE_STARTING);
  CHECK_STATUS(TWINGUARD_OK, twinguard_client_close(other, 1000, NULL));
  twinguard_client_free(other);
  return check_result("panic");
}
