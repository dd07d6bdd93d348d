// The header is complete by itself, may come twice, and its macros work in C++.
#include "twinguard.h"
#include "twinguard.h"

static_assert(TWINGUARD_VERSION_AT_LEAST(0, 1, 0), "version");
static_assert(sizeof(twinguard_states) == sizeof(int32_t), "values have the size of their parameter");

size_t headertest();

size_t headertest() {
  const twinguard_str text = TWINGUARD_STR("literal");
  int32_t state = TWINGUARD_STATE_RUNNING;
  twinguard_status status = TWINGUARD_ERR_TIMEOUT;
  return text.len + twinguard_str_c("pointer").len + static_cast<size_t>(state + status);
}
