#include "engine/engine.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "channel/own_process.h"
#include "live/lab_channel.h"
#include "oracle/native_channel.h"

namespace greetlab {

const std::vector<Engine>& engines() {
  static const std::vector<Engine> all{
      {"lab", "ours, every step of which is in the trace", {}, open_lab_channel},
      {"grpc", "gRPC's own channel", {"source_ip", "frames"}, open_native_channel},
  };
  return all;
}

const Engine& engine(std::string_view name) {
  const auto found = std::ranges::find(engines(), name, &Engine::name);
  if (found != engines().end()) return *found;
  std::string there;
  for (const Engine& one : engines()) {
    there += (there.empty() ? "'" : ", '") + std::string(one.name) + "'";
  }
  throw std::invalid_argument("engine '" + std::string(name) + "': there is " + there);
}

std::shared_ptr<GreetChannel> open_channel(std::string_view name, ChannelOptions options) {
  const Engine& chosen = engine(name);
  const ChannelOptions usual;
  ChannelOptions::each(
      options, [&]<class Value>(std::string_view option, const Value& value, std::string_view) {
        if (std::ranges::find(chosen.deaf_to, option) == chosen.deaf_to.end()) return;
        ChannelOptions::each(usual, [&]<class Usual>(std::string_view same, const Usual& untouched,
                                                     std::string_view) {
          if constexpr (std::is_same_v<Value, Usual>) {
            if (same != option || value == untouched) return;
            throw std::invalid_argument(std::string(option) + ": the engine '" + std::string(name) +
                                        "' cannot be told; the engine '" +
                                        std::string(engines().front().name) + "' can");
          }
        });
      });
  return {chosen.open(std::move(options)).release(), [](GreetChannel* channel) {
            if (!in_forked_child()) delete channel;
          }};
}

}  // namespace greetlab
