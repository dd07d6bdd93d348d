/*
 * Runs the shared vectors through the C API: agent configurations, durations, configuration errors,
 * micro agent documents, tokens, derived keys and signatures.
 *
 *   vectors [FOLDER]     the environment variable TWINGUARD_VECTORS comes before FOLDER
 *
 * A field that this runner does not know fails its vector: what is not run has not passed.
 */
#include <stdarg.h>
#include <strings.h>

#include "json.h"
#include "twinguard.h"

static const char *failed_because;

/* Ends a vector with a reason. */
static int fail(const char *why) {
  failed_because = why;
  return 0;
}

/* Whether an object has only these members. The list ends with NULL. */
static int only(const json *object, ...) {
  for (const json *member = object->first; member != NULL; member = member->next) {
    va_list names;
    const char *name;
    va_start(names, object);
    do {
      name = va_arg(names, const char *);
    } while (name != NULL && strcmp(name, member->key) != 0);
    va_end(names);
    if (name == NULL) {
      return fail("a field that this runner does not know");
    }
  }
  return 1;
}

static twinguard_str raw(const json *value) {
  twinguard_str text = {value->start, (size_t)(value->end - value->start)};
  return text;
}

/* A string that may hold a NUL. */
static twinguard_str whole(const json *value) {
  twinguard_str text = {value->string, value->length};
  return text;
}

static const char *update_name(int32_t update) {
  switch (update) {
  case TWINGUARD_UPDATE_APPLIED:
    return "applied";
  case TWINGUARD_UPDATE_UNCHANGED:
    return "unchanged";
  case TWINGUARD_UPDATE_REJECTED:
    return "rejected";
  case TWINGUARD_UPDATE_IGNORED_STALE:
    return "ignored_stale";
  case TWINGUARD_UPDATE_RESYNC_REQUIRED:
    return "resync_required";
  default:
    return "?";
  }
}

/* Whether the configuration in force is the defaults with a difference. */
static int is_effective(const json *effective, const json *defaults, const json *difference) {
  if (json_count(effective) != json_count(defaults)) {
    return fail("effective: other keys than the defaults");
  }
  for (const json *value = defaults->first; value != NULL; value = value->next) {
    const json *changed = json_get(difference, value->key);
    if (!json_equal(json_get(effective, value->key), changed != NULL ? changed : value)) {
      return fail(value->key);
    }
  }
  for (const json *value = difference->first; value != NULL; value = value->next) {
    if (json_get(defaults, value->key) == NULL) {
      return fail("effective_diff: a key without a default");
    }
  }
  return 1;
}

/* Whether a finding has every member of the expected one. */
static int matches(const json *found, const json *expected) {
  for (const json *member = expected->first; member != NULL; member = member->next) {
    if (!json_equal(json_get(found, member->key), member)) {
      return 0;
    }
  }
  return 1;
}

/* Each expected finding is there, and no other. Findings follow the document, so without order. */
static int are_findings(const json *found, const json *expected, const char *name) {
  if (json_count(found) != json_count(expected)) {
    return fail(name);
  }
  for (const json *want = expected == NULL ? NULL : expected->first; want != NULL;
       want = want->next) {
    const json *have = found->first;
    while (have != NULL && !(want->type == JSON_OBJECT ? matches(have, want)
                                                        : json_equal(have, want))) {
      have = have->next;
    }
    if (have == NULL) {
      return fail(name);
    }
  }
  return 1;
}

/* Every setting is found by its key, and says the same as the JSON of all of them. */
static int are_settings(const twinguard_configuration *configuration, const json *effective) {
  if (twinguard_configuration_count(configuration) != json_count(effective)) {
    return fail("twinguard_configuration_count");
  }
  for (size_t i = 0; i < json_count(effective); i++) {
    twinguard_str key = twinguard_configuration_key(configuration, i);
    twinguard_str text = twinguard_configuration_text(configuration, key);
    json *setting = json_read(twinguard_configuration_setting_json(configuration, key).ptr);
    int same = json_equal(setting, json_get(effective, key.ptr));
    twinguard_str wanted = setting->type == JSON_STRING ? whole(setting) : raw(setting);
    if (setting->type == JSON_NULL) {
      same = same && text.ptr == NULL;
    } else {
      same = same && text.len == wanted.len && memcmp(text.ptr, wanted.ptr, text.len) == 0;
    }
    json_free(setting);
    if (!same) {
      return fail(key.ptr);
    }
  }
  return 1;
}

static int evaluation(const twinguard_configuration *configuration, const json *expect,
                      const json *defaults, int applied) {
  static const char *const lists[] = {"errors", "warnings", "unknown_keys"};
  json *found = json_read(twinguard_configuration_evaluation_json(configuration).ptr);
  json *effective = json_read(twinguard_configuration_json(configuration).ptr);
  int ok = 1;
  /* An applied step lists every finding; others leave out what an earlier one found. */
  for (size_t i = 0; ok && i < sizeof lists / sizeof *lists; i++) {
    const json *wanted = json_get(expect, lists[i]);
    ok = (wanted == NULL && !applied) || are_findings(json_get(found, lists[i]), wanted, lists[i]);
  }
  if (ok && json_count(json_get(found, "errors")) !=
                twinguard_configuration_refused_count(configuration)) {
    ok = fail("twinguard_configuration_refused_count");
  }
  const json *difference = json_get(expect, "effective_diff");
  ok = ok && (difference == NULL || is_effective(effective, defaults, difference));
  ok = ok && are_settings(configuration, effective);
  json_free(effective);
  json_free(found);
  return ok;
}

static int twin_step(twinguard_shadow *shadow, const json *step, const json *expect,
                     const json *defaults) {
  int32_t update = 0;
  twinguard_status status;
  const json *document = json_get(step, "doc");
  const char *kind = json_string(json_get(step, "kind"));
  const char *result = json_string(json_get(expect, "result"));
  twinguard_configuration *configuration = NULL;
  if (!only(step, "kind", "doc", NULL) ||
      !only(expect, "result", "errors", "warnings", "unknown_keys", "effective_diff", NULL)) {
    return 0;
  }
  if (document == NULL || kind == NULL || result == NULL) {
    return fail("kind, doc or result is missing");
  }
  if (strcmp(kind, "full") == 0) {
    status = twinguard_shadow_apply_full(shadow, raw(document), &update, NULL);
  } else if (strcmp(kind, "patch") == 0) {
    status = twinguard_shadow_apply_patch(shadow, raw(document), &update, NULL);
  } else {
    return fail("a kind of step that this runner does not know");
  }
  if (status != TWINGUARD_OK) {
    return fail(twinguard_status_name(status).ptr);
  }
  if (strcmp(update_name(update), result) != 0) {
    return fail(update_name(update));
  }
  if (twinguard_shadow_configuration(shadow, &configuration, NULL) != TWINGUARD_OK) {
    return fail("twinguard_shadow_configuration");
  }
  int ok = evaluation(configuration, expect, defaults, update == TWINGUARD_UPDATE_APPLIED);
  twinguard_configuration_free(configuration);
  return ok;
}

static int twin_vector(const json *vector, const json *defaults) {
  const json *step = json_get(vector, "steps"), *expect = json_get(vector, "expect");
  twinguard_shadow *shadow = NULL;
  if (!only(vector, "id", "name", "source", "note", "steps", "expect", NULL) || expect == NULL ||
      !only(expect, "library", "agent_c", "agent_csharp", NULL)) {
    return 0;
  }
  expect = json_get(expect, "library");
  if (json_count(step) == 0 || json_count(step) != json_count(expect)) {
    return fail("as many expectations as steps wanted");
  }
  if (twinguard_shadow_new(TWINGUARD_STR(""), TWINGUARD_ACCEPT_WHOLE, TWINGUARD_PROFILE_CURRENT,
                           &shadow, NULL) != TWINGUARD_OK) {
    return fail("twinguard_shadow_new");
  }
  int ok = 1;
  step = step->first;
  expect = expect->first;
  for (; ok && step != NULL; step = step->next, expect = expect->next) {
    ok = twin_step(shadow, step, expect, defaults);
  }
  twinguard_shadow_free(shadow);
  return ok;
}

static int duration_vector(const json *vector, const json *unused) {
  (void)unused;
  uint64_t ms = 0;
  const json *text = json_get(vector, "text"), *expect = json_get(vector, "library");
  if (!only(vector, "id", "text", "source", "note", "agent_c", "agent_csharp", "library", NULL)) {
    return 0;
  }
  if (json_string(text) == NULL || expect == NULL) {
    return fail("text or library is missing");
  }
  twinguard_status status = twinguard_duration_parse(whole(text), &ms, NULL);
  if (expect->type == JSON_NULL) {
    return status == TWINGUARD_ERR_INVALID_ARGUMENT || fail("taken, but to be refused");
  }
  if (!only(expect, "ms", "reported", NULL)) {
    return 0;
  }
  const json *number = json_get(expect, "ms");
  if (status != TWINGUARD_OK || number == NULL || (double)ms != number->number) {
    return fail("ms");
  }
  twinguard_buf *reported = NULL;
  const char *wanted = json_string(json_get(expect, "reported"));
  int ok = twinguard_duration_format(ms, &reported, NULL) == TWINGUARD_OK && wanted != NULL &&
           strcmp(twinguard_buf_text(reported).ptr, wanted) == 0;
  twinguard_buf_free(reported);
  return ok || fail("reported");
}

/* Feeds one full document to a fresh shadow. */
static twinguard_configuration *evaluate(const json *desired, int32_t profile) {
  twinguard_shadow *shadow = NULL;
  twinguard_configuration *configuration = NULL;
  twinguard_status status = twinguard_shadow_new(TWINGUARD_STR(""), TWINGUARD_ACCEPT_WHOLE, profile,
                                                 &shadow, NULL);
  if (status == TWINGUARD_OK && desired != NULL) {
    status = twinguard_shadow_apply_full(shadow, raw(desired), NULL, NULL);
  }
  if (status == TWINGUARD_OK) {
    status = twinguard_shadow_configuration(shadow, &configuration, NULL);
  }
  if (status != TWINGUARD_OK) {
    fail(twinguard_status_name(status).ptr);
  }
  twinguard_shadow_free(shadow);
  return configuration;
}

static int config_error_vector(const json *vector, const json *unused) {
  (void)unused;
  const json *desired = json_get(vector, "desired"), *expect = json_get(vector, "expect");
  if (!only(vector, "id", "name", "source", "note", "desired", "expect", NULL) || expect == NULL ||
      !only(expect, "library_payload", "agent_c_payload", "agent_csharp_payload", NULL)) {
    return 0;
  }
  twinguard_configuration *configuration = evaluate(desired, TWINGUARD_PROFILE_CURRENT);
  twinguard_buf *payloads = NULL;
  if (configuration == NULL ||
      twinguard_configuration_errors(configuration, &payloads, NULL) != TWINGUARD_OK) {
    twinguard_configuration_free(configuration);
    return 0;
  }
  json *found = json_read(twinguard_buf_text(payloads).ptr);
  int ok = are_findings(found, json_get(expect, "library_payload"), "library_payload");
  json_free(found);
  twinguard_buf_free(payloads);
  twinguard_configuration_free(configuration);
  return ok;
}

static int micro_agent_vector(const json *vector, const json *unused) {
  (void)unused;
  const json *desired = json_get(vector, "desired"), *expect = json_get(vector, "expect");
  if (!only(vector, "id", "name", "source", "note", "desired", "expect", NULL) || expect == NULL ||
      !only(expect, "latest_state", "latest_invalid_fields", "effective_diff", NULL)) {
    return 0;
  }
  twinguard_configuration *plain = evaluate(NULL, TWINGUARD_PROFILE_MICRO_AGENT);
  twinguard_configuration *configuration = evaluate(desired, TWINGUARD_PROFILE_MICRO_AGENT);
  if (plain == NULL || configuration == NULL) {
    twinguard_configuration_free(plain);
    return 0;
  }
  json *defaults = json_read(twinguard_configuration_json(plain).ptr);
  json *effective = json_read(twinguard_configuration_json(configuration).ptr);
  const json *difference = json_get(expect, "effective_diff");
  const char *state = json_string(json_get(expect, "latest_state"));
  const json *key = json_get(expect, "latest_invalid_fields");
  int ok = difference == NULL || is_effective(effective, defaults, difference);
  int success = state != NULL && strcmp(state, "success") == 0;
  if (success != twinguard_configuration_is_success(configuration)) {
    ok = fail("latest_state");
  }
  if (json_count(key) != twinguard_configuration_refused_count(configuration)) {
    ok = fail("latest_invalid_fields");
  }
  key = key == NULL ? NULL : key->first;
  for (size_t i = 0; ok && key != NULL; key = key->next, i++) {
    twinguard_str refused = twinguard_configuration_refused_key(configuration, i);
    ok = strcmp(refused.ptr, key->string) == 0 || fail("latest_invalid_fields");
  }
  json_free(effective);
  json_free(defaults);
  twinguard_configuration_free(configuration);
  twinguard_configuration_free(plain);
  return ok;
}

/* Writers whose tokens are ours, byte for byte; the others differ in encoding or order. */
static int is_ours(const char *flavour) {
  return strcmp(flavour, "python-device") == 0 || strcmp(flavour, "python-service") == 0 ||
         strcmp(flavour, "embedded-c") == 0;
}

static int is_text(twinguard_str text, const char *wanted) {
  return text.len == strlen(wanted) && memcmp(text.ptr, wanted, text.len) == 0;
}

/* Whether a call made this text. */
static int made(twinguard_status status, twinguard_buf *buf, const char *wanted, const char *what) {
  int same = status == TWINGUARD_OK && is_text(twinguard_buf_text(buf), wanted);
  twinguard_buf_free(buf);
  return same || fail(what);
}

static int is_signed(const json *key, twinguard_str data, const char *signature) {
  twinguard_buf *buf = NULL;
  twinguard_status status = twinguard_sign(whole(key), data, &buf, NULL);
  return made(status, buf, signature, "signature");
}

static int is_token(const json *resource, const json *key, uint64_t expiry, const json *policy,
                    const char *token) {
  twinguard_buf *buf = NULL;
  twinguard_str name = json_string(policy) == NULL ? TWINGUARD_STR("") : whole(policy);
  twinguard_status status =
      twinguard_sas_token_new(whole(resource), whole(key), expiry, name, &buf, NULL);
  return made(status, buf, token, "token");
}

/* A field of a token, as it stands there; without pointer when there is none. */
static twinguard_str token_field(const char *token, const char *name) {
  static const char scheme[] = "SharedAccessSignature ";
  twinguard_str none = {NULL, 0};
  if (strncmp(token, scheme, sizeof scheme - 1) != 0) {
    return none;
  }
  const char *at = token + sizeof scheme - 1;
  for (;;) {
    size_t length = strcspn(at, "&"), known = strlen(name);
    if (length > known && strncmp(at, name, known) == 0 && at[known] == '=') {
      twinguard_str value = {at + known + 1, length - known - 1};
      return value;
    }
    if (at[length] == '\0') {
      return none;
    }
    at += length + 1;
  }
}

/* Percent-decodes; what is no escape stays. The room is as long as the text, and one. */
static void percent_decode(twinguard_str text, char *out) {
  static const char hex[] = "0123456789abcdefABCDEF";
  for (size_t i = 0; i < text.len; i++) {
    const char *p = text.ptr + i;
    if (*p == '%' && text.len - i > 2 && memchr(hex, p[1], 22) && memchr(hex, p[2], 22)) {
      char digits[3] = {p[1], p[2], '\0'};
      *out++ = (char)strtoul(digits, NULL, 16);
      i += 2;
    } else {
      *out++ = *p;
    }
  }
  *out = '\0';
}

static int token_vector(const json *vector, const json *flavours) {
  const json *expiry = json_get(vector, "expiry"), *resource = json_get(vector, "resource");
  const json *key = json_get(vector, "key"), *to_sign = json_get(vector, "string_to_sign");
  const char *flavour = json_string(json_get(vector, "flavour"));
  const char *sent = json_string(json_get(vector, "sr_on_wire"));
  const char *signature = json_string(json_get(vector, "signature_base64"));
  const char *expected = json_string(json_get(vector, "expected_token"));
  if (!only(vector, "name", "flavour", "key", "key_name", "resource", "expiry", "sr_on_wire",
            "string_to_sign", "signature_base64", "expected_token", NULL)) {
    return 0;
  }
  if (expiry == NULL || expiry->type != JSON_NUMBER || json_string(resource) == NULL ||
      json_string(key) == NULL || json_string(to_sign) == NULL || flavour == NULL ||
      sent == NULL || signature == NULL || expected == NULL) {
    return fail("a member is missing or no text");
  }
  if (json_get(flavours, flavour) == NULL) {
    return fail("unknown flavour");
  }
  char built[1024];
  twinguard_str end = raw(expiry), se = token_field(expected, "se");
  snprintf(built, sizeof built, "%s\n%.*s", sent, (int)end.len, end.ptr);
  if (!is_text(whole(to_sign), built)) {
    return fail("string_to_sign");
  }
  if (se.len != end.len || memcmp(se.ptr, end.ptr, end.len) != 0) {
    return fail("expiry");
  }
  return is_signed(key, whole(to_sign), signature) &&
         (!is_ours(flavour) || is_token(resource, key, (uint64_t)expiry->number,
                                        json_get(vector, "key_name"), expected));
}

/* Clients encode the resource not at all, once or twice. */
static int names_resource(twinguard_str sent, const char *resource) {
  char once[1024], twice[1024];
  if (sent.len >= sizeof once) {
    return fail("the resource is longer than this runner reads");
  }
  percent_decode(sent, once);
  twinguard_str again = {once, strlen(once)};
  percent_decode(again, twice);
  return (sent.len == strlen(resource) && strncasecmp(sent.ptr, resource, sent.len) == 0) ||
         strcasecmp(once, resource) == 0 || strcasecmp(twice, resource) == 0 || fail("resource");
}

/* The signature of a token sent by a real client verifies over its fields as they stand. */
static int observed_token_vector(const json *vector, const json *unused) {
  (void)unused;
  const json *key = json_get(vector, "key"), *resource = json_get(vector, "resource");
  const char *client = json_string(json_get(vector, "client"));
  const char *token = json_string(json_get(vector, "token"));
  if (!only(vector, "client", "key", "resource", "token", NULL)) {
    return 0;
  }
  if (client == NULL || json_string(key) == NULL || json_string(resource) == NULL ||
      token == NULL) {
    return fail("client, key, resource or token is missing");
  }
  twinguard_str sr = token_field(token, "sr"), sig = token_field(token, "sig");
  twinguard_str se = token_field(token, "se");
  char to_sign[1024], signature[256], *end = NULL;
  if (sr.len == 0 || sig.len >= sizeof signature || se.len == 0) {
    return fail("a field of the token is missing or too long");
  }
  uint64_t expiry = strtoull(se.ptr, &end, 10);
  if (end != se.ptr + se.len) {
    return fail("expiry");
  }
  percent_decode(sig, signature);
  int length = snprintf(to_sign, sizeof to_sign, "%.*s\n%.*s", (int)sr.len, sr.ptr, (int)se.len,
                        se.ptr);
  twinguard_str data = {to_sign, (size_t)length};
  /* The clients for Python and Node write tokens as we do. */
  int ours = strncmp(client, "azure-iot-device ", 17) == 0;
  return length < (int)sizeof to_sign && names_resource(sr, resource->string) &&
         is_signed(key, data, signature) &&
         (!ours || is_token(resource, key, expiry, NULL, token));
}

static int derived_key_vector(const json *vector, const json *unused) {
  (void)unused;
  const json *key = json_get(vector, "group_key"), *id = json_get(vector, "registration_id");
  const char *expected = json_string(json_get(vector, "derived_key"));
  if (!only(vector, "name", "source", "group_key", "registration_id", "derived_key", NULL)) {
    return 0;
  }
  if (json_string(key) == NULL || json_string(id) == NULL || expected == NULL) {
    return fail("group_key, registration_id or derived_key is missing");
  }
  twinguard_buf *buf = NULL;
  twinguard_status status = twinguard_derive_key(whole(key), whole(id), &buf, NULL);
  return made(status, buf, expected, "derived_key");
}

static void base64_encode(const char *data, size_t length, char *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < length; i += 3) {
    unsigned long bits = 0;
    for (size_t j = i; j < i + 3; j++) {
      bits = bits << 8 | (j < length ? (unsigned char)data[j] : 0);
    }
    for (int k = 0; k < 4; k++) {
      *out++ = i + k > length ? '=' : digits[bits >> (18 - 6 * k) & 63];
    }
  }
  *out = '\0';
}

static int workload_vector(const json *vector, const json *unused) {
  (void)unused;
  const json *key = json_get(vector, "module_key"), *data = json_get(vector, "string_to_sign");
  const char *request = json_string(json_get(vector, "request_data_base64"));
  const char *digest = json_string(json_get(vector, "digest_base64"));
  char encoded[1024];
  if (!only(vector, "name", "module_key", "string_to_sign", "request_data_base64", "digest_base64",
            NULL)) {
    return 0;
  }
  if (json_string(key) == NULL || json_string(data) == NULL || request == NULL || digest == NULL) {
    return fail("a member is missing or no text");
  }
  if (data->length > sizeof encoded / 4 * 3 - 3) {
    return fail("string_to_sign is longer than this runner reads");
  }
  base64_encode(data->string, data->length, encoded);
  return strcmp(encoded, request) == 0 ? is_signed(key, whole(data), digest)
                                       : fail("request_data_base64");
}

typedef struct {
  int ran, passed;
} tally;

typedef int (*vector_check)(const json *vector, const json *context);

static void run_one(tally *tally, const json *vector, const json *context, vector_check check) {
  failed_because = "a member is missing";
  tally->ran++;
  if (check(vector, context)) {
    tally->passed++;
    return;
  }
  const json *name = json_get(vector, "id");
  name = name == NULL ? json_get(vector, "name") : name;
  name = name == NULL ? json_get(vector, "client") : name;
  fprintf(stderr, "%s: %s\n", json_string(name) == NULL ? "?" : name->string, failed_because);
}

static void run_list(tally *tally, const json *file, const char *list, const json *context,
                     vector_check check) {
  const json *vectors = json_get(file, list);
  if (vectors == NULL) {
    fprintf(stderr, "%s: no such list\n", list);
    tally->ran++;
    return;
  }
  for (const json *vector = vectors->first; vector != NULL; vector = vector->next) {
    run_one(tally, vector, context, check);
  }
}

static char *read_file(const char *folder, const char *name) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
    fprintf(stderr, "%s: path too long\n", folder);
    exit(2);
  }
  return json_file(path);
}

static tally run_agent(const char *folder) {
  tally tally = {0, 0};
  char *text = read_file(folder, "vectors-agent-config.json");
  json *file = json_read(text);
  const json *defaults = json_get(json_get(file, "defaults"), "library");
  run_list(&tally, file, "twin_vectors", defaults, twin_vector);
  run_list(&tally, file, "duration_vectors", NULL, duration_vector);
  run_list(&tally, file, "config_error_vectors", NULL, config_error_vector);
  run_list(&tally, file, "micro_agent_vectors", NULL, micro_agent_vector);
  json_free(file);
  free(text);
  return tally;
}

static tally run_sas(const char *folder) {
  tally tally = {0, 0};
  char *text = read_file(folder, "vectors-sas.json");
  json *file = json_read(text);
  /* What a verifier accepts is the hub's business and run there. */
  if (!only(file, "about", "flavours", "tokens", "observed_tokens", "derived_keys",
            "workload_sign", "must_accept", "must_reject", NULL)) {
    fprintf(stderr, "vectors-sas.json: %s\n", failed_because);
    tally.ran++;
  }
  run_list(&tally, file, "tokens", json_get(file, "flavours"), token_vector);
  run_list(&tally, file, "observed_tokens", NULL, observed_token_vector);
  run_list(&tally, file, "derived_keys", NULL, derived_key_vector);
  run_list(&tally, file, "workload_sign", NULL, workload_vector);
  json_free(file);
  free(text);
  return tally;
}

int main(int argc, char **argv) {
  const char *folder = getenv("TWINGUARD_VECTORS");
  if (folder == NULL || *folder == '\0') {
    folder = argc > 1 ? argv[1] : "tests/vectors";
  }
  tally agent = run_agent(folder);
  printf("vectors c agent-config: ran %d passed %d\n", agent.ran, agent.passed);
  tally sas = run_sas(folder);
  printf("vectors c sas: ran %d passed %d\n", sas.ran, sas.passed);
  int complete = agent.ran > 0 && sas.ran > 0;
  return complete && agent.ran == agent.passed && sas.ran == sas.passed ? 0 : 1;
}
