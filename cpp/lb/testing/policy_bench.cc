#include "lb/testing/policy_bench.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <variant>

#include "lb/policies/registry.h"
#include "lb/testing/bench_address.h"

namespace greetlab {
namespace {

std::string text_of(const PolicyConfig& policy) {
  std::string text = policy.policy;
  for (const auto& [name, value] : policy.fields) text += " " + name + "=" + std::to_string(value);
  for (const auto& [name, value] : policy.texts) text += " " + name + "=" + value;
  return policy.child ? text + " (" + text_of(*policy.child) + ")" : text;
}

std::string in_seconds(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6fs", std::chrono::duration<double>(duration).count());
  return text;
}

}  // namespace

PolicyBench::PolicyBench(const PolicyConfig& policy, std::uint64_t seed,
                         std::optional<std::string> health_service)
    : trace_(clock_),
      recording_(std::size_t{1} << 17),
      rng_(seed),
      who_(trace_.symbol("client")),
      health_service_(std::move(health_service)),
      network_(clock_, trace_),
      pool_({clock_, network_, rng_, trace_, who_, keepalive_}),
      picker_(std::make_unique<QueuePicker>()),
      policy_(make_policy(complete(policy), *this, clock_)) {
  trace_.listen(&recording_);
  note("PolicyBench(" + text_of(policy) + ", seed=" + std::to_string(seed) + ")");
}

PolicyBench::~PolicyBench() = default;

// --- What is done to it --------------------------------------------------------------------------

bool PolicyBench::update(const std::vector<std::string>& endpoints, const std::string& error) {
  Resolution update;
  if (!error.empty()) update.status = {Code::unavailable, error};
  std::string shown;
  for (const std::string& endpoint : endpoints) {
    update.endpoints.push_back(bench_endpoint(endpoint));
    shown += (shown.empty() ? "" : ", ") + endpoint;
  }
  note("update([" + shown + "]" + (error.empty() ? "" : ", '" + error + "'") + ")");
  const EventId answer = trace_.emit(who_, EventId::none, [&] {
    const std::vector<Address> addresses = addresses_of(update.endpoints);
    return LookupEnded{trace_.symbol("bench"), trace_.symbol(error.empty() ? "ok" : error),
                       trace_.symbol(to_string(addresses)),
                       static_cast<std::uint32_t>(addresses.size())};
  });
  const std::size_t step = steps_.size() - 1;
  const bool accepted = policy_->update(update, answer);
  steps_[step] += accepted ? " -> accepted" : " -> rejected";
  return accepted;
}

void PolicyBench::ready(const std::string& address) {
  network_.ready(address);
  note("ready(" + address + ")");
}

void PolicyBench::fail(const std::string& address, const std::string& reason) {
  network_.fail(address, reason);
  note("fail(" + address + ", '" + reason + "')");
}

void PolicyBench::lose(const std::string& address) {
  network_.lose(address);
  note("lose(" + address + ")");
}

void PolicyBench::health(const std::string& address, Health health) {
  network_.health(address, health);
  note("health(" + address + ", " + std::string(to_string(health)) + ")");
}

void PolicyBench::end_health(const std::string& address, Code code) {
  network_.end_health(address, {code, "the stream ended"});
  note("end_health(" + address + ", " + std::string(to_string(code)) + ")");
}

void PolicyBench::load(const std::string& address, const LoadReport& load) {
  network_.load(address, load);
  note("load(" + address + ")");
}

void PolicyBench::run(Duration duration) {
  note("run(" + in_seconds(duration) + ")");
  clock_.run_until(clock_.now() + duration);
}

bool PolicyBench::step() {
  const bool stepped = clock_.step();
  note("step()");
  return stepped;
}

void PolicyBench::exit_idle() {
  note("exit_idle()");
  const CallId call = trace_.next_call();
  policy_->exit_idle(trace_.emit(who_, EventId::none, [&] { return CallStarted{call, false}; }));
}

std::vector<std::string> PolicyBench::picks(std::size_t count, const Metadata& metadata) {
  if (count > kMostPicks) {
    throw std::invalid_argument("picks(" + std::to_string(count) +
                                "): " + std::to_string(kMostPicks) + " at once are the most");
  }
  std::vector<std::string> picks;
  for (std::size_t i = 0; i < count; ++i) {
    const Pick pick = picker_->pick({trace_.next_call(), &metadata});
    if (const auto* to = std::get_if<PickTo>(&pick)) {
      picks.push_back(bench_name(to->subchannel->address()));
      if (to->tracker) in_flight_[picks.back()].push_back(to->tracker);
    } else if (const auto* fail = std::get_if<PickFail>(&pick)) {
      picks.push_back("fail: " + fail->status.message);
    } else if (const auto* drop = std::get_if<PickDrop>(&pick)) {
      picks.push_back("drop: " + drop->status.message);
    } else {
      picks.emplace_back("wait");
    }
  }
  std::string shown;  // "a b c a", and "wait x 60" for one and the same
  if (count > 1 && std::ranges::adjacent_find(picks, std::ranges::not_equal_to{}) == picks.end()) {
    shown = " " + picks.front() + " x " + std::to_string(count);
  } else {
    constexpr std::size_t kShown = 12;
    for (std::size_t i = 0; i < std::min(count, kShown); ++i) shown += " " + picks[i];
    if (count > kShown) shown += " ...";
  }
  std::string said;
  for (const auto& [name, value] : metadata) said += ", " + name + ": " + value;
  note("picks(" + std::to_string(count) + said + ") ->" + shown);
  return picks;
}

void PolicyBench::done(const std::string& address, const Outcome& outcome) {
  auto& calls = in_flight_[bench_name(bench_address(address))];
  if (calls.empty()) {
    throw std::invalid_argument("done('" + address +
                                "'): no call that was picked for it is tracked");
  }
  note("done(" + address + (outcome.status.ok() ? "" : ", failed") + ")");
  calls.front()->on_done(outcome);
  calls.erase(calls.begin());
}

void PolicyBench::note(std::string step) {
  steps_.push_back(in_seconds(clock_.now().time_since_epoch()) + " " + std::move(step));
}

// --- What it does --------------------------------------------------------------------------------

void PolicyBench::publish(ConnectivityState state, std::unique_ptr<Picker> picker,
                          const Status& why, EventId cause) {
  if (state != state_) {
    trace_.emit(who_, cause,
                [&] { return ChannelStateChanged{state_, state, trace_.symbol(why.message)}; });
  }
  state_ = state;
  failure_ = why.message;
  picker_ = std::move(picker);
  ++pickers_;
  trace_.emit(who_, cause, [&] {
    return PickerPublished{trace_.symbol(picker_->name()), picker_->ready(), picker_->start()};
  });
}

void PolicyBench::request_reresolution(EventId cause) {
  ++reresolutions_;
  trace_.emit(who_, cause, [] { return ReresolutionRequested{}; });
}

// --- What can be seen of it ----------------------------------------------------------------------

double PolicyBench::now() const {
  return std::chrono::duration<double>(clock_.now().time_since_epoch()).count();
}

std::map<std::string, std::string> PolicyBench::subchannels() const {
  std::map<std::string, std::string> states;
  for (const auto& subchannel : pool_.all()) {
    states.emplace(bench_name(subchannel->address()), to_string(subchannel->state()));
  }
  return states;
}

std::string PolicyBench::script() const {
  std::string script;
  for (const std::string& step : steps_) script += step + "\n";
  return script;
}

}  // namespace greetlab
