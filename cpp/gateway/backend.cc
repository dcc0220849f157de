#include "gateway/backend.h"

#include <random>
#include <utility>

#include "live/lab_channel.h"
#include "live/native_channel.h"

namespace greetlab {
namespace {

const Symbols& symbols_of(const LabChannel& channel) {
  return channel.trace().symbols();
}
const Symbols& symbols_of(const NativeChannel& channel) {
  return channel.recorder().symbols();
}

LabChannelOptions lab(const BackendOptions& options, Trace::Listener& listener) {
  LabChannelOptions lab;
  lab.target = parse_target(options.target);
  lab.policy.policy = options.policy;
  lab.cooldown = options.cooldown;
  lab.seed = std::random_device{}();
  lab.name = "gateway";
  lab.listener = &listener;
  return lab;
}

NativeChannelOptions native(const BackendOptions& options, Trace::Listener& listener) {
  NativeChannelOptions native;
  native.target = options.target;
  native.policy = options.policy;
  native.cooldown = options.cooldown;
  native.name = "gateway";
  native.listener = &listener;
  return native;
}

template <class AnyChannel>
class ChannelBackend final : public Backend, private Trace::Listener {
 public:
  template <class MakeOptions>
  ChannelBackend(const BackendOptions& options, OnEvent on_event, MakeOptions make)
      : on_event_(std::move(on_event)), channel_(make(options, *this)) {}

  void greet(greet::GreetingRequest request, Duration timeout, GreetDone done) override {
    channel_.greet(std::move(request), timeout, std::move(done));
  }
  std::string state() override {
    static constexpr bool kConnect = true;
    if constexpr (std::is_same_v<AnyChannel, LabChannel>) {
      return std::string(to_string(channel_.state(kConnect)));
    } else {
      return channel_.state(kConnect);
    }
  }
  std::vector<SubchannelView> subchannels() override { return channel_.subchannels(); }
  const Symbols& symbols() const override { return symbols_of(channel_); }
  void close() override { channel_.close(); }

 private:
  // Nothing happens before somebody calls or connects, so the channel is there.
  void on_event(const Event& event) override { on_event_(event, symbols()); }

  const OnEvent on_event_;
  AnyChannel channel_;
};

}  // namespace

std::unique_ptr<Backend> Backend::open(const BackendOptions& options, OnEvent on_event) {
  if (options.engine == "grpc") {
    return std::make_unique<ChannelBackend<NativeChannel>>(options, std::move(on_event), native);
  }
  return std::make_unique<ChannelBackend<LabChannel>>(options, std::move(on_event), lab);
}

}  // namespace greetlab
