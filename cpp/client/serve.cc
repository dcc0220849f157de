#include "client/serve.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "channel/own_world.h"
#include "client/answers.h"
#include "client/commands.h"
#include "core/read_line.h"
#include "dns/resolver.h"
#include "live/lab_channel.h"
#include "traceio/json_lines.h"

namespace greetlab {
namespace {

using nlohmann::json;

/// How long events wait for others, to be told together.
constexpr std::chrono::milliseconds kGathered{10};

/// A channel, and how much of its trace was told.
class Served final : public Trace::Listener {
 public:
  /// @param news set, and told of it, when there are events to tell.
  Served(ChannelOptions options, std::atomic<bool>& news)
      : name_(options.name), recording_(options.trace_capacity), news_(news) {
    if (options.trace_capacity > 0) options.listener = this;
    channel_ = open_lab_channel(std::move(options));
  }

  GreetChannel& channel() { return *channel_; }

  void on_event(const Event& event) override {
    recording_.on_event(event);
    if (news_.exchange(true)) return;  // whoever tells them has not looked yet
    news_.notify_one();
  }

  /// Writes the events since the last time. One thread at a time.
  void tell(std::ostream& out) {
    const auto events = recording_.events().subspan(told_);
    if (events.empty()) return;
    told_ += events.size();
    out << line_of({{"channel", name_}}) << '\n';
    write_trace(out, events, channel_->symbols(), recording_.dropped(), own_world());
  }

 private:
  const std::string name_;
  Recording recording_;
  std::atomic<bool>& news_;
  std::size_t told_ = 0;
  std::unique_ptr<GreetChannel> channel_;  // goes first: it still has something to tell
};

std::string_view to_string(WaitResult result) {
  switch (result) {
    case WaitResult::ready: return "ready";
    case WaitResult::timeout: return "timeout";
    case WaitResult::closed: return "closed";
    case WaitResult::interrupted: break;
  }
  return "interrupted";
}

std::int64_t now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class Server {
 public:
  explicit Server(std::ostream& out) : out_(out) {
    say({{"greet_client", GREETLAB_VERSION}, {"world", own_world()}});
    teller_ = std::thread([this] { tell_events(); });
  }

  ~Server() {
    for (const auto& [_, one] : under_way_) one->cancelled = true;
    for (const auto& [_, served] : channels_) served->channel().close();
    under_way_.clear();  // waits for them
    over_ = true;
    news_ = true;
    news_.notify_one();
    teller_.join();
  }

  void run(std::istream& in) {
    for (std::string line; read_line(in, line);) obey(line);
    if (!in.eof()) {
      answer(0, {{"error",
                  "a command is a line of " + std::to_string(kLongestLine) + " bytes at most"}});
    }
  }

 private:
  // A command that takes its time.
  struct UnderWay {
    ~UnderWay() { thread.join(); }

    std::atomic<bool> cancelled{false};
    std::atomic<bool> over{false};
    std::thread thread;
  };
  using Work = std::function<json(const Interrupted&)>;
  using Act = json (Server::*)(std::uint64_t n, Fields&);

  void obey(const std::string& line) {
    std::erase_if(under_way_, [](const auto& entry) { return entry.second->over.load(); });
    std::uint64_t n = 0;
    try {
      Fields fields{std::string_view(line)};
      n = fields.take_unsigned("n");
      const std::string what = fields.take_text("do");
      const auto found = kCommands.find(what);
      if (found == kCommands.end()) {
        std::string known;
        for (const auto& [name, _] : kCommands) known += (known.empty() ? "" : ", ") + name;
        throw std::invalid_argument("no command " + line_of(what) + ": there is " + known);
      }
      const json done = (this->*found->second)(n, fields);
      if (!done.is_null()) answer(n, {{"ok", done}});
    } catch (const std::exception& error) {
      answer(n, {{"error", error.what()}});
    }
  }

  // The commands. Each gives its answer, or null: it comes later.

  json open(std::uint64_t, Fields& fields) {
    ChannelOptions options = read_channel_options(fields);
    fields.expect_nothing_left();
    const std::string name = options.name;
    if (channels_.contains(name)) {
      throw std::invalid_argument("channel " + line_of(name) + " is there already");
    }
    auto served = std::make_shared<Served>(std::move(options), news_);
    const std::lock_guard lock(mutex_);
    channels_.emplace(name, std::move(served));
    return true;
  }

  json greet(std::uint64_t n, Fields& fields) {
    auto served = take_channel(fields);
    GreetLoad load = read_load(fields);
    fields.expect_nothing_left();
    start(n, [served, load = std::move(load)](const Interrupted& cancelled) {
      return json(served->channel().run(load, cancelled));
    });
    return nullptr;
  }

  json wait_ready(std::uint64_t n, Fields& fields) {
    auto served = take_channel(fields);
    const bool all = fields.take_bool("all");
    const Duration timeout = fields.take_seconds("timeout");
    const std::size_t pods = fields.has("pods") ? fields.take_unsigned("pods") : 0;
    fields.expect_nothing_left();
    start(n, [=](const Interrupted& cancelled) {
      GreetChannel& channel = served->channel();
      return json(to_string(pods == 0 ? channel.wait_ready(all, timeout, cancelled)
                                      : channel.wait_for_pods(pods, timeout, cancelled)));
    });
    return nullptr;
  }

  json lookup(std::uint64_t n, Fields& fields) {
    const std::string name = fields.take_text("name");
    const std::vector<RecordType> types = read_types(fields);
    fields.expect_nothing_left();
    start(n, [=](const Interrupted& cancelled) {
      DnsResolver resolver(system_resolver_config());
      return json(resolver.lookup(name, types, [&] {
        if (cancelled()) throw std::runtime_error("the lookup was cancelled");
      }));
    });
    return nullptr;
  }

  json state(std::uint64_t, Fields& fields) {
    auto served = take_channel(fields);
    fields.expect_nothing_left();
    json subchannels = json::array();
    for (const SubchannelView& one : served->channel().subchannels()) {
      subchannels.push_back({{"address", one.address},
                             {"state", one.state},
                             {"local_addresses", one.local_addresses}});
    }
    return {{"state", greetlab::to_string(served->channel().state(false))},
            {"subchannels", std::move(subchannels)}};
  }

  json pod_changed(std::uint64_t, Fields& fields) {
    auto served = take_channel(fields);
    const std::string pod = fields.take_text("pod");
    const std::string change = fields.take_text("change");
    const bool ends = fields.take_bool("ends");
    const std::vector<Address> addresses = read_addresses(fields);
    fields.expect_nothing_left();
    served->channel().tell_pod_changed(pod, addresses, change, ends);
    served->channel().flush();  // whoever was answered may do it now
    return true;
  }

  json endpoints_changed(std::uint64_t, Fields& fields) {
    auto served = take_channel(fields);
    const std::string service = fields.take_text("service");
    std::vector<SliceEndpoint> endpoints = read_endpoints(fields);
    fields.expect_nothing_left();
    served->channel().tell_endpoints_changed(service, std::move(endpoints), Duration::zero());
    served->channel().flush();
    return true;
  }

  json clock(std::uint64_t, Fields& fields) {
    fields.expect_nothing_left();
    return {{"monotonic_ns", now_ns(CLOCK_MONOTONIC)}, {"realtime_ns", now_ns(CLOCK_REALTIME)}};
  }

  json cancel(std::uint64_t, Fields& fields) {
    const std::uint64_t which = fields.take_unsigned("which");
    fields.expect_nothing_left();
    const auto found = under_way_.find(which);
    if (found != under_way_.end()) found->second->cancelled = true;
    return true;  // one that is over by now is none the worse for it
  }

  json close(std::uint64_t, Fields& fields) {
    const auto served = take_channel(fields);
    fields.expect_nothing_left();
    served->channel().close();  // ends what is under way there
    const std::lock_guard lock(mutex_);
    served->tell(out_);
    std::erase_if(channels_, [&](const auto& entry) { return entry.second == served; });
    return true;
  }

  inline static const std::map<std::string, Act> kCommands{
      {"open", &Server::open},
      {"greet", &Server::greet},
      {"wait_ready", &Server::wait_ready},
      {"lookup", &Server::lookup},
      {"state", &Server::state},
      {"pod_changed", &Server::pod_changed},
      {"endpoints_changed", &Server::endpoints_changed},
      {"clock", &Server::clock},
      {"cancel", &Server::cancel},
      {"close", &Server::close},
  };

  std::shared_ptr<Served> take_channel(Fields& fields) {
    const std::string name = fields.take_text("channel");
    const auto found = channels_.find(name);
    if (found == channels_.end()) {
      throw std::invalid_argument("no channel " + line_of(name) + ": open it first");
    }
    return found->second;
  }

  // Does it on a thread of its own: other commands, and what the cluster does, go on meanwhile.
  void start(std::uint64_t n, Work work) {
    if (under_way_.contains(n)) {
      throw std::invalid_argument("command " + std::to_string(n) + " is still under way");
    }
    auto& one = under_way_[n] = std::make_unique<UnderWay>();
    one->thread = std::thread([this, n, work = std::move(work), one = one.get()] {
      json said;
      try {
        said["ok"] = work([one] { return one->cancelled.load(); });
      } catch (const std::exception& error) {
        said = {{"error", error.what()}};
      }
      answer(n, std::move(said));
      one->over = true;
    });
  }

  // What goes out.

  void answer(std::uint64_t n, json said) {
    said["n"] = n;
    const std::string line = line_of(said);
    const std::lock_guard lock(mutex_);
    for (const auto& [_, served] : channels_) served->tell(out_);
    out_ << line << '\n' << std::flush;
    expect_taken();
  }

  void say(const json& line) {
    const std::lock_guard lock(mutex_);
    out_ << line_of(line) << '\n' << std::flush;
    expect_taken();
  }

  void tell_events() {
    while (!over_) {
      news_.wait(false);
      // One after the other they would cost a wake-up, a header and a write each, on both sides.
      // Who waits for an answer does not wait for this.
      if (!over_) std::this_thread::sleep_for(kGathered);
      news_ = false;
      const std::lock_guard lock(mutex_);
      for (const auto& [_, served] : channels_) served->tell(out_);
      out_.flush();
      expect_taken();
    }
  }

  // Nobody reads any more: there is nothing left to do, and no one to tell.
  void expect_taken() {
    if (out_) return;
    std::cerr << "greet-client: write the trace: " << std::strerror(errno) << std::endl;
    _exit(2);
  }

  std::ostream& out_;
  std::mutex mutex_;  // of what goes out, and of channels_, which is changed on one thread only
  std::map<std::string, std::shared_ptr<Served>> channels_;
  std::map<std::uint64_t, std::unique_ptr<UnderWay>> under_way_;
  std::atomic<bool> news_{false};
  std::atomic<bool> over_{false};
  std::thread teller_;
};

}  // namespace

void serve(std::istream& in, std::ostream& out) {
  Server(out).run(in);
}

}  // namespace greetlab
