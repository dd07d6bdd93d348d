/* The functions that need no network: merge patches, tokens, durations, configurations. */
#include "check.h"

/* Takes a buffer's text for a comparison and frees the buffer. */
static int buf_is(twinguard_buf *buf, const char *wanted) {
  int same = text_is(twinguard_buf_text(buf), wanted);
  if (!same) {
    fprintf(stderr, "got %s\n", twinguard_buf_text(buf).ptr);
  }
  twinguard_buf_free(buf);
  return same;
}

static void merge_and_diff(void) {
  twinguard_buf *buf = NULL;
  twinguard_error *error = NULL;
  CHECK_STATUS(TWINGUARD_OK,
               twinguard_merge_patch(TWINGUARD_STR("{\"a\":{\"b\":1,\"c\":2}}"),
                                     TWINGUARD_STR("{\"a\":{\"b\":null},\"d\":[1]}"), &buf, &error));
  CHECK(error == NULL);
  CHECK(buf_is(buf, "{\"a\":{\"c\":2},\"d\":[1]}"));
  CHECK_STATUS(TWINGUARD_OK, twinguard_diff(TWINGUARD_STR("{\"a\":{\"b\":1,\"c\":2}}"),
                                            TWINGUARD_STR("{\"a\":{\"c\":3}}"), &buf, NULL));
  CHECK(buf_is(buf, "{\"a\":{\"b\":null,\"c\":3}}"));
  CHECK_STATUS(TWINGUARD_OK, twinguard_diff(TWINGUARD_STR("{\"a\":1}"),
                                            TWINGUARD_STR("{\"a\":1,\"b\":null}"), &buf, NULL));
  CHECK(buf_is(buf, "{}"));

  buf = NULL;
  CHECK_STATUS(TWINGUARD_ERR_JSON,
               twinguard_merge_patch(TWINGUARD_STR("{\"a\":{\"b\":tru}}"), TWINGUARD_STR("{}"), &buf,
                                     &error));
  CHECK(buf == NULL);
  CHECK(twinguard_error_status(error) == TWINGUARD_ERR_JSON);
  CHECK(text_is(twinguard_error_pointer(error), "/a/b"));
  CHECK(twinguard_error_message(error).len > 0);
  twinguard_error_free(error);
  CHECK_STATUS(TWINGUARD_ERR_JSON,
               twinguard_merge_patch(TWINGUARD_STR("[]"), TWINGUARD_STR("{}"), &buf, NULL));
  CHECK_STATUS(TWINGUARD_ERR_JSON,
               twinguard_merge_patch(TWINGUARD_STR("{\"a\":1,\"a\":2}"), TWINGUARD_STR("{}"), &buf,
                                     NULL));
  CHECK_STATUS(TWINGUARD_ERR_ENCODING,
               twinguard_merge_patch(TWINGUARD_STR("{\"\xff\":1}"), TWINGUARD_STR("{}"), &buf, NULL));
  CHECK(buf == NULL);
}

static void durations(void) {
  uint64_t ms = 7;
  twinguard_buf *buf = NULL;
  CHECK_STATUS(TWINGUARD_OK, twinguard_duration_parse(TWINGUARD_STR("PT1M1.5S"), &ms, NULL));
  CHECK(ms == 61500);
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT,
               twinguard_duration_parse(TWINGUARD_STR("1 minute"), &ms, NULL));
  CHECK(ms == 61500);
  CHECK_STATUS(TWINGUARD_OK, twinguard_duration_format(ms, &buf, NULL));
  CHECK(buf_is(buf, "PT1M1.5S"));
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT, twinguard_duration_format(999, &buf, NULL));
}

static void tokens(void) {
  twinguard_buf *buf = NULL;
  twinguard_error *error = NULL;
  twinguard_str resource = TWINGUARD_STR("hub.example/devices/d/modules/m");
  CHECK_STATUS(TWINGUARD_OK, twinguard_sas_token_new(resource, TWINGUARD_STR("c2VjcmV0"), 1893456000,
                                                     TWINGUARD_STR("owner"), &buf, NULL));
  twinguard_str token = twinguard_buf_text(buf);
  CHECK(strncmp(token.ptr, "SharedAccessSignature sr=hub.example%2Fdevices%2Fd%2Fmodules%2Fm&sig=",
                69) == 0);
  CHECK(strstr(token.ptr, "&se=1893456000&skn=owner") != NULL);
  twinguard_buf_free(buf);
  CHECK_STATUS(TWINGUARD_ERR_KEY,
               twinguard_sas_token_new(resource, TWINGUARD_STR("not*base64!"), 1, TWINGUARD_STR(""),
                                       &buf, &error));
  CHECK(strstr(twinguard_error_message(error).ptr, "not*base64!") == NULL);
  twinguard_error_free(error);
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT,
               twinguard_sas_token_new(TWINGUARD_STR(""), TWINGUARD_STR("c2VjcmV0"), 1,
                                       TWINGUARD_STR(""), &buf, NULL));
}

/* Expected: RFC 4231 section 4.3 (test case 2), and Python's hmac. */
static void signatures(void) {
  static const char bytes[] = {'a', '\0', (char)0xff};
  twinguard_buf *buf = NULL;
  twinguard_error *error = NULL;
  twinguard_str key = TWINGUARD_STR("SmVmZQ=="), none = {NULL, 0};
  twinguard_str binary = {bytes, sizeof bytes}, endless = {bytes, SIZE_MAX};
  CHECK_STATUS(TWINGUARD_OK, twinguard_sign(key, TWINGUARD_STR("what do ya want for nothing?"),
                                            &buf, &error));
  CHECK(error == NULL);
  CHECK(buf_is(buf, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="));
  CHECK_STATUS(TWINGUARD_OK, twinguard_sign(key, none, &buf, NULL));
  CHECK(buf_is(buf, "kjWYym1krypdunnc0CGooP5cX1V1Ga2q8K1TLUUG3TA="));
  CHECK_STATUS(TWINGUARD_OK, twinguard_sign(key, binary, &buf, NULL));
  CHECK(buf_is(buf, "96yM33UhYtk0VP9iSAl7Yc29wyW/P9h+BB2RdMVFUTc="));

  buf = NULL;
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT, twinguard_sign(key, endless, &buf, NULL));
  CHECK_STATUS(TWINGUARD_ERR_ENCODING, twinguard_sign(binary, none, &buf, NULL));
  CHECK_STATUS(TWINGUARD_ERR_KEY, twinguard_sign(none, binary, &buf, NULL));
  CHECK_STATUS(TWINGUARD_ERR_KEY,
               twinguard_sign(TWINGUARD_STR("not*base64!"), binary, &buf, &error));
  CHECK(strstr(twinguard_error_message(error).ptr, "not*base64!") == NULL);
  twinguard_error_free(error);
  CHECK(buf == NULL);
}

/* A key has at most 256 characters of base64. */
static void longest_key(void) {
  char text[260];
  memset(text, 'A', sizeof text);
  twinguard_buf *buf = NULL;
  twinguard_str key = {text, 256}, longer = {text, sizeof text}, none = {NULL, 0};
  CHECK_STATUS(TWINGUARD_OK, twinguard_sign(key, none, &buf, NULL));
  CHECK(buf_is(buf, "Ad8CUd/PDJ7vBdv9i5S2DyrOGr9+4DHXET7jL5vZJXs="));
  buf = NULL;
  CHECK_STATUS(TWINGUARD_ERR_KEY, twinguard_sign(longer, none, &buf, NULL));
  CHECK(buf == NULL);
}

#define SECTION "\"ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration\""

static void settings(const twinguard_configuration *configuration) {
  uint64_t number = 0;
  int32_t priority = -1;
  bool flag = false;
  twinguard_error *error = NULL;
  CHECK_STATUS(TWINGUARD_OK,
               twinguard_configuration_duration_ms(
                   configuration, TWINGUARD_STR("highPriorityMessageFrequency"), &number, NULL));
  CHECK(number == 120000);
  CHECK_STATUS(TWINGUARD_OK,
               twinguard_configuration_number(configuration,
                                              TWINGUARD_STR("maxMessageSizeInBytes"), &number, NULL));
  CHECK(number == 204800);
  CHECK_STATUS(TWINGUARD_OK, twinguard_configuration_flag(
                                 configuration, TWINGUARD_STR("aggregationEnabledProcessCreate"),
                                 &flag, NULL));
  CHECK(flag);
  CHECK_STATUS(TWINGUARD_OK, twinguard_configuration_priority(configuration, TWINGUARD_STR("Login"),
                                                              &priority, NULL));
  CHECK(priority == TWINGUARD_PRIORITY_OFF);
  CHECK(text_is(twinguard_configuration_text(configuration, TWINGUARD_STR("eventPriorityLogin")),
                "Off"));
  CHECK(twinguard_configuration_text(configuration, TWINGUARD_STR("hubResourceId")).ptr == NULL);
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT,
               twinguard_configuration_number(
                   configuration, TWINGUARD_STR("snapshotFrequency"), &number, &error));
  CHECK(text_is(twinguard_error_message(error), "key: 'snapshotFrequency' is not a number"));
  twinguard_error_free(error);
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT,
               twinguard_configuration_duration_ms(configuration, TWINGUARD_STR("no\nkey"), &number,
                                                   &error));
  CHECK(strchr(twinguard_error_message(error).ptr, '\n') == NULL);
  twinguard_error_free(error);
  CHECK_STATUS(TWINGUARD_ERR_INVALID_ARGUMENT,
               twinguard_configuration_priority(configuration, TWINGUARD_STR("Nothing"), &priority,
                                                NULL));
}

static void shadow(void) {
  twinguard_shadow *shadow = NULL;
  twinguard_configuration *good = NULL, *bad = NULL;
  int32_t update = 0;
  uint64_t version = 0;
  CHECK_STATUS(TWINGUARD_OK, twinguard_shadow_new(TWINGUARD_STR(""), TWINGUARD_ACCEPT_WHOLE,
                                                  TWINGUARD_PROFILE_CURRENT, &shadow, NULL));
  CHECK_STATUS(TWINGUARD_OK,
               twinguard_shadow_apply_full(
                   shadow,
                   TWINGUARD_STR("{\"$version\":4," SECTION ":{\"highPriorityMessageFrequency\":"
                                 "{\"value\":\"PT2M\"},\"eventPriorityLogin\":{\"value\":\"off\"}}}"),
                   &update, NULL));
  CHECK(update == TWINGUARD_UPDATE_APPLIED);
  CHECK_STATUS(TWINGUARD_OK, twinguard_shadow_configuration(shadow, &good, NULL));
  CHECK(twinguard_configuration_is_success(good));
  CHECK(twinguard_configuration_desired_version(good, &version) && version == 4);
  settings(good);

  CHECK_STATUS(TWINGUARD_OK,
               twinguard_shadow_apply_patch(
                   shadow,
                   TWINGUARD_STR("{\"$version\":5," SECTION
                                 ":{\"maxMessageSizeInBytes\":{\"value\":\"big\"}}}"),
                   &update, NULL));
  CHECK(update == TWINGUARD_UPDATE_REJECTED);
  CHECK_STATUS(TWINGUARD_OK, twinguard_shadow_configuration(shadow, &bad, NULL));
  CHECK(!twinguard_configuration_is_success(bad));
  CHECK(twinguard_configuration_refused_count(bad) == 1);
  CHECK(text_is(twinguard_configuration_refused_key(bad, 0), "maxMessageSizeInBytes"));
  CHECK(text_is(twinguard_configuration_refused_pointer(bad, 0),
                "/ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration/maxMessageSizeInBytes/"
                "value"));
  CHECK(twinguard_configuration_refused_expected(bad, 0).len > 0);
  CHECK(twinguard_configuration_refused_message(bad, 0).len > 0);
  CHECK(twinguard_configuration_refused_key(bad, 1).ptr == NULL);
  CHECK_STATUS(TWINGUARD_OK, twinguard_shadow_apply_patch(shadow, TWINGUARD_STR("{\"$version\":9}"),
                                                          &update, NULL));
  CHECK(update == TWINGUARD_UPDATE_RESYNC_REQUIRED);

  twinguard_buf *document = NULL;
  CHECK_STATUS(TWINGUARD_OK, twinguard_shadow_document(shadow, &document, NULL));
  CHECK(strstr(twinguard_buf_text(document).ptr, "\"desired_version\":5") != NULL);
  CHECK(strstr(twinguard_buf_text(document).ptr, "\"reported\":{" SECTION) != NULL);
  twinguard_buf_free(document);
  /* What came from the shadow outlives it. */
  twinguard_shadow_free(shadow);
  settings(good);
  twinguard_configuration_free(good);
  twinguard_configuration_free(bad);
}

int main(void) {
  merge_and_diff();
  durations();
  tokens();
  signatures();
  longest_key();
  shadow();
  return check_result("pure");
}
