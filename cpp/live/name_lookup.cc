#include "live/name_lookup.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "config/txt_config.h"
#include "dns/address_order.h"
#include "dns/hosts.h"
#include "dns/walk.h"

namespace greetlab {

// One lookup on its way; of several names, where SRV leads to them.
struct LiveNameLookup::Question {
  EventId started;
  Done done;
  std::size_t unanswered = 0;
  std::vector<Address> addresses;
  DnsStatus failure = DnsStatus::ok;
  std::vector<std::string> txt;
};

namespace {

std::string own_hostname() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

/// Each by its family and its place: RFC 6724. Those of one port, which is all of them but for SRV.
std::vector<Address> ordered(const std::vector<Address>& addresses) {
  const auto same_port = [&](const Address& one) { return one.port == addresses.front().port; };
  if (!std::ranges::all_of(addresses, same_port)) return addresses;
  std::vector<std::string> ips;
  for (const Address& one : addresses) ips.push_back(one.ip);
  std::vector<Address> result;
  for (std::string& ip : in_order(std::move(ips))) {
    result.push_back({std::move(ip), addresses.front().port});
  }
  return result;
}

}  // namespace

LiveNameLookup::LiveNameLookup(Loop& loop, DnsWire& wire, Trace& trace, Symbol who,
                               const Target& target, Rng* rng)
    : loop_(loop), wire_(wire), trace_(trace), who_(who), target_(target), rng_(rng) {}

void LiveNameLookup::lookup(EventId cause, Done done) {
  const auto question = std::make_shared<Question>();
  question->started =
      trace_.emit(who_, cause, [&] { return LookupStarted{trace_.symbol(target_.name)}; });
  question->done = std::move(done);
  // As gRPC has it, whichever DNS server the target names (c-ares: "files, then DNS").
  if (std::vector<std::string> known = hosts_addresses(target_.name); !known.empty()) {
    for (std::string& ip : known) question->addresses.push_back({std::move(ip), target_.port});
    loop_.post([this, alive = std::weak_ptr(alive_), question] {
      if (!alive.expired()) finish(*question);
    });
    return;
  }
  const bool srv = target_.scheme == "srv";
  if (rng_ != nullptr) ask_config(question);
  ask(question, target_.name,
      srv ? std::vector{RecordType::srv} : std::vector{RecordType::a, RecordType::aaaa},
      target_.port);
}

void LiveNameLookup::ask(const std::shared_ptr<Question>& question, const std::string& name,
                         std::vector<RecordType> types, std::uint16_t port) {
  ++question->unanswered;
  Walk::start(wire_, name, std::move(types),
              [this, alive = std::weak_ptr(alive_), question, port](const Lookup& answer) {
                if (!alive.expired()) on_resolution(question, answer, port);
              });
}

void LiveNameLookup::ask_config(const std::shared_ptr<Question>& question) {
  ++question->unanswered;
  Walk::start(wire_, "_grpc_config." + target_.name, {RecordType::txt},
              [this, alive = std::weak_ptr(alive_), question](const Lookup& answer) {
                if (alive.expired()) return;
                tell(*question, answer);
                question->txt = answer.txt;
                if (--question->unanswered == 0) finish(*question);
              });
}

void LiveNameLookup::tell(const Question& question, const Lookup& answer) {
  for (const Query& query : answer.queries) {
    trace_.emit(who_, question.started, [&] {
      return QueryAnswered{trace_.symbol(query.name), trace_.symbol(to_string(query.type)),
                           trace_.symbol(to_string(query.status)), query.ttl.value_or(0),
                           Duration(query.round_trip_ns)};
    });
  }
}

void LiveNameLookup::on_resolution(const std::shared_ptr<Question>& question, const Lookup& answer,
                                   std::uint16_t port) {
  tell(*question, answer);
  for (const std::string& ip : answer.addresses) question->addresses.push_back({ip, port});
  if (answer.addresses.empty() && answer.srv.empty()) question->failure = answer.status;
  const auto first = std::ranges::min_element(answer.srv, {}, &SrvRecord::priority);
  for (const SrvRecord& record : answer.srv) {
    if (record.priority != first->priority) continue;
    // A target of "." says that there is no such service (RFC 2782).
    if (record.target.empty() || record.target == ".") {
      question->failure = DnsStatus::no_data;
      continue;
    }
    ask(question, record.target + (record.target.ends_with('.') ? "" : "."),
        {RecordType::a, RecordType::aaaa}, record.port);
  }
  if (--question->unanswered == 0) finish(*question);
}

void LiveNameLookup::finish(const Question& question) {
  Resolution answer;
  const std::vector<Address> addresses = ordered(question.addresses);
  answer.endpoints = endpoints_of(addresses);
  const DnsStatus status = addresses.empty() ? question.failure : DnsStatus::ok;
  if (addresses.empty()) {
    answer.status = {Code::unavailable, "DNS resolution failed for " + target_.name + ": " +
                                            std::string(describe(status))};
  }
  if (rng_ != nullptr && !addresses.empty() && !question.txt.empty()) {
    TxtConfig chosen =
        choose_config(question.txt, {own_hostname(), static_cast<std::uint32_t>(rng_->below(100))});
    answer.config = std::move(chosen.config);
    answer.config_status = std::move(chosen.status);
  }
  const EventId ended = trace_.emit(who_, question.started, [&] {
    std::string joined;
    for (const Address& address : addresses) {
      joined += joined.empty() ? "" : ",";
      joined += target_.scheme == "srv" ? to_string(address) : address.ip;
    }
    return LookupEnded{trace_.symbol(target_.name), trace_.symbol(to_string(status)),
                       trace_.symbol(joined), static_cast<std::uint32_t>(addresses.size())};
  });
  question.done(std::move(answer), ended);
}

}  // namespace greetlab
