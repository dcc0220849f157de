#include "config/service_config.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>
#include <stdexcept>
#include <utility>

#include "config/json_object.h"
#include "config/read_policy.h"
#include "core/printable.h"

namespace greetlab {
namespace {

constexpr std::int64_t kMostBytes = 4'294'967'295;
constexpr std::int64_t kMostTokens = 1000;  // A6: maxTokens is in (0, 1000]
constexpr std::int64_t kMany = 1'000'000'000;

/// A status code: its name, in any case, or its number (A6, "retryableStatusCodes").
void read_code(const Json& value, const std::string& path, Remarks& remarks, Codes& codes) {
  std::optional<std::size_t> code;
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number < kCodeNames.size()) code = static_cast<std::size_t>(number);
    remarks.elsewhere(path + " is the number " + value.dump(),
                      "C++ and Python refuse the config: they take names only");
  } else if (value.is_string()) {
    std::string name = value.get<std::string>();
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const auto found = std::ranges::find(kCodeNames, name);
    if (found != kCodeNames.end()) {
      code = static_cast<std::size_t>(found - kCodeNames.begin());
      if (name != value.get_ref<const std::string&>()) {
        remarks.elsewhere(path + " is " + in_words(value) + ", not in capital letters",
                          "C++, Python, Go and Java refuse the config");
      }
    }
  }
  if (!code) {
    return remarks.error(path + " is " + in_words(value) +
                         ": it must be a status code's name, such as \"UNAVAILABLE\"");
  }
  if (*code == 0) {
    remarks.elsewhere(path + " is OK: a call that went well is never tried again",
                      "Java refuses the config");
  }
  codes.set(*code);
}

Codes read_codes(JsonObject& object, std::string_view name) {
  Codes codes;
  if (const Json* list = object.list(name)) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      read_code((*list)[i], object.at(name) + '[' + std::to_string(i) + ']', object.remarks(),
                codes);
    }
  }
  return codes;
}

std::uint32_t read_attempts(JsonObject& object) {
  object.require("maxAttempts");
  const auto attempts = object.whole("maxAttempts", 2, kMany);
  if (!attempts) return 2;
  if (*attempts > RetryPolicy::kMostAttempts) {
    object.remarks().warn(object.at("maxAttempts") + " is " + std::to_string(*attempts) +
                              ": it is taken as " + std::to_string(RetryPolicy::kMostAttempts),
                          "all of its languages do so; Go, Java, Node and C# can be told another "
                          "limit");
  }
  return static_cast<std::uint32_t>(std::min<std::int64_t>(*attempts, RetryPolicy::kMostAttempts));
}

Duration read_positive(JsonObject& object, std::string_view name) {
  const auto duration = object.duration(name);
  if (duration && duration->count() == 0) {
    object.remarks().error(object.at(name) + " is 0s: it must be more",
                           "Node takes it, the others refuse the config, too");
  }
  return duration.value_or(Duration{});
}

RetryPolicy read_retry(JsonObject object) {
  RetryPolicy policy;
  policy.max_attempts = read_attempts(object);
  object.require("initialBackoff");
  policy.initial_backoff = read_positive(object, "initialBackoff");
  object.require("maxBackoff");
  policy.max_backoff = read_positive(object, "maxBackoff");
  object.require("backoffMultiplier");
  if (const auto multiplier = object.number("backoffMultiplier")) {
    policy.backoff_multiplier = *multiplier;
    if (!(*multiplier > 0)) {
      object.remarks().error(object.at("backoffMultiplier") + " is " +
                             in_words(*object.find("backoffMultiplier")) +
                             ": it must be more than 0");
    }
  }
  if (object.find("perAttemptRecvTimeout") != nullptr) {
    object.remarks().warn(object.at("perAttemptRecvTimeout") + " is not looked at here",
                          "C++ and Python look at it only with the channel argument "
                          "grpc.experimental.enable_hedging; Java does; the others do not");
  }
  const std::size_t errors = object.remarks().errors.size();
  policy.retryable = read_codes(object, "retryableStatusCodes");
  if (policy.retryable.none() && object.remarks().errors.size() == errors) {
    object.remarks().error(
        object.at("retryableStatusCodes") + " names no code: nothing would ever be tried again",
        "all of its languages refuse the config, too");
  }
  object.finish();
  return policy;
}

HedgingPolicy read_hedging(JsonObject object) {
  HedgingPolicy policy;
  policy.max_attempts = read_attempts(object);
  policy.delay = object.duration("hedgingDelay").value_or(Duration{});
  policy.non_fatal = read_codes(object, "nonFatalStatusCodes");
  object.remarks().elsewhere(
      object.at("maxAttempts") + ": calls are hedged",
      "Java, Node and C# do so; C++, Python and Go have no hedging, and ignore it");
  object.finish();
  return policy;
}

RetryThrottling read_throttling(JsonObject object) {
  RetryThrottling throttling;
  object.require("maxTokens");
  const Json* tokens = object.find("maxTokens");
  if (tokens != nullptr && tokens->is_number() && *tokens > kMostTokens) {
    object.remarks().error(
        object.at("maxTokens") + " is " + in_words(*tokens) + ": it must be 1000 or less",
        "Node refuses the config, too, and Go where there is a methodConfig; C++, Python and Java "
        "take it");
  } else if (const auto read = object.whole("maxTokens", 1, kMostTokens)) {
    throttling.max_milli_tokens = static_cast<std::uint32_t>(*read * 1000);
  }
  object.require("tokenRatio");
  if (const auto ratio = object.number("tokenRatio")) {
    // A6: "decimals beyond 3 are ignored"; not so those that only the binary form has.
    const double milli = std::min(std::floor(*ratio * 1000 + 1e-6), 1e9);
    if (!(milli >= 1)) {
      object.remarks().error(object.at("tokenRatio") + " is " +
                                 in_words(*object.find("tokenRatio")) +
                                 ": it must be 0.001 or more, for 3 digits of it count",
                             "C++ and Python refuse the config, too; Go, Java and Node take any "
                             "number above 0");
    } else {
      throttling.milli_ratio = static_cast<std::uint32_t>(milli);
      if (*ratio * 1000 - milli > 1e-6) {
        object.remarks().warn(object.at("tokenRatio") + " is " +
                              in_words(*object.find("tokenRatio")) + ": 3 digits of it count");
      }
    }
  }
  object.finish();
  return throttling;
}

class Reader {
 public:
  std::shared_ptr<const ServiceConfig> read(std::string_view text) {
    const auto json = parse_json(text, remarks);
    if (!json) return nullptr;
    if (!json->is_object()) {
      remarks.error("the config is " + in_words(*json) + ": it must be an object",
                    json->is_array() ? "Node takes a list for an empty config" : "");
      return nullptr;
    }
    auto config = std::make_shared<ServiceConfig>();
    JsonObject top(*json, "", remarks);
    read_balancing(top, *config);
    read_methods(top, *config);
    if (auto object = top.object("retryThrottling")) {
      config->throttling = read_throttling(*std::move(object));
      const auto retries = [](const MethodConfig& method) {
        return method.retry || method.hedging;
      };
      if (std::ranges::none_of(config->methods, retries)) {
        remarks.warn("retryThrottling: no method is tried again, so there is nothing to throttle");
      }
    }
    read_health(top, *config);
    top.finish();
    if (!remarks.errors.empty()) return nullptr;
    config->text = json->dump(-1, ' ', true);
    return config;
  }

  Remarks remarks;

 private:
  void read_balancing(JsonObject& top, ServiceConfig& config) {
    if (const Json* list = top.list("loadBalancingConfig")) {
      config.policy = read_policies(*list, "loadBalancingConfig", remarks);
    }
    const auto name = top.text("loadBalancingPolicy");
    if (!name) return;
    const auto named = read_policy_name(*name, "loadBalancingPolicy", remarks);
    if (top.find("loadBalancingConfig") != nullptr) {
      return remarks.warn(
          "loadBalancingPolicy is not looked at: there is a loadBalancingConfig, which stands "
          "before it");
    }
    config.policy = named;
    if (named) {
      remarks.elsewhere(
          "loadBalancingPolicy is the old way to say it: \"loadBalancingConfig\": [{\"" +
              named->policy + "\": {}}] is the one of today",
          "Node does not look at loadBalancingPolicy, and takes pick_first; the others "
          "take it");
    }
  }

  void read_methods(JsonObject& top, ServiceConfig& config) {
    const Json* list = top.list("methodConfig");
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::string path = "methodConfig[" + std::to_string(i) + ']';
      if (auto object = object_at((*list)[i], path, remarks)) {
        MethodConfig method = read_method(*std::move(object), path);
        if (!method.names.empty()) config.methods.push_back(std::move(method));
      }
    }
  }

  MethodConfig read_method(JsonObject object, const std::string& path) {
    MethodConfig method;
    const std::size_t errors = remarks.errors.size();
    read_names(object, method);
    if (method.names.empty() && remarks.errors.size() == errors) {
      remarks.warn(
          path + " has no name: it holds for no method, and is skipped. \"name\": [{}] is for all",
          object.find("name") == nullptr
              ? "C++, Python, Go, Java and C# skip it and say nothing; Node refuses the config"
              : "all of its languages skip it and say nothing");
    }
    method.timeout = object.duration("timeout");
    if (method.timeout && method.timeout->count() == 0) {
      remarks.warn(path + ".timeout is 0s: every call fails at once");
    }
    if (method.timeout && *method.timeout % std::chrono::seconds(1) != Duration{}) {
      remarks.elsewhere(
          path + ".timeout is " + in_words(*object.find("timeout")),
          "Node (grpc-js 1.14) reads what follows the point as nanoseconds: its calls "
          "have only the whole seconds");
    }
    method.wait_for_ready = object.truth("waitForReady");
    for (const auto& [name, bytes] :
         {std::pair{"maxRequestMessageBytes", &method.max_request_bytes},
          std::pair{"maxResponseMessageBytes", &method.max_response_bytes}}) {
      if (const auto read = object.whole(name, 0, kMostBytes)) {
        *bytes = static_cast<std::uint32_t>(*read);
        remarks.elsewhere(path + '.' + name + " is taken",
                          "Node ignores it: it reads maxRequestBytes and maxResponseBytes");
      }
    }
    auto retry = object.object("retryPolicy");
    auto hedging = object.object("hedgingPolicy");
    if (retry && hedging) {
      remarks.error(path + " has a retryPolicy and a hedgingPolicy: it must be one of the two",
                    "Node refuses the config, too; Java fails each call of the method; C++, Python "
                    "and Go ignore hedgingPolicy and try again");
    }
    if (retry) method.retry = read_retry(*std::move(retry));
    if (hedging) method.hedging = read_hedging(*std::move(hedging));
    object.finish();
    return method;
  }

  void read_names(JsonObject& object, MethodConfig& method) {
    const Json* list = object.list("name");
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::string path = object.at("name") + '[' + std::to_string(i) + ']';
      auto fields = object_at((*list)[i], path, remarks);
      if (!fields) continue;
      MethodConfig::Name name{fields->text("service").value_or(""),
                              fields->text("method").value_or("")};
      fields->finish();
      if (name.service.empty() && !name.method.empty()) {
        remarks.error(path + " has a method, and no service: a method's name alone is no name");
        continue;
      }
      if ((name.service + name.method).find('/') != std::string::npos) {
        remarks.warn(path +
                         " has a \"/\" in it: no method is called so, and it holds for none. "
                         "\"/greet.GreetService/Greet\" is {\"service\": \"greet.GreetService\", "
                         "\"method\": \"Greet\"}",
                     "all of its languages take it, and say nothing");
      }
      if (!names_.insert({name.service, name.method}).second) {
        remarks.error(path + " stands in the config already: a method can have one methodConfig");
        continue;
      }
      method.names.push_back(std::move(name));
    }
  }

  void read_health(JsonObject& top, ServiceConfig& config) {
    auto object = top.object("healthCheckConfig");
    if (!object) return;
    config.health_service = object->text("serviceName");
    object->finish();
    if (!config.health_service) {
      return remarks.warn("healthCheckConfig has no serviceName: no health is checked");
    }
    const bool pick_first = !config.policy || config.policy->policy == "pick_first";
    if (pick_first) {
      return remarks.warn(
          "healthCheckConfig does nothing: pick_first does not look at health (gRFC A17)");
    }
    remarks.elsewhere("healthCheckConfig: each connection is asked for the health of its server",
                      "C++, Python and Java do so; Go where google.golang.org/grpc/health is "
                      "imported; Node and C# ignore it");
  }

  std::set<std::pair<std::string, std::string>> names_;
};

}  // namespace

std::string to_string(const Remark& remark) {
  return printable(remark.sentence +
                   (remark.stock.empty() ? "" : " (stock gRPC: " + remark.stock + ")"));
}

ReadServiceConfig read_service_config(std::string_view text) {
  Reader reader;
  auto config = reader.read(text);
  return {std::move(config), std::move(reader.remarks.errors), std::move(reader.remarks.warnings),
          std::move(reader.remarks.others)};
}

std::shared_ptr<const ServiceConfig> require_service_config(std::string_view text,
                                                            std::vector<Remark>* warnings) {
  ReadServiceConfig read = read_service_config(text);
  if (read.config == nullptr) {
    std::string sentences;
    for (const Remark& error : read.errors) {
      sentences += (sentences.empty() ? "" : "; ") + to_string(error);
    }
    throw std::invalid_argument(sentences);
  }
  if (warnings != nullptr) {
    warnings->insert(warnings->end(), read.warnings.begin(), read.warnings.end());
  }
  return read.config;
}

}  // namespace greetlab
