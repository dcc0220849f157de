#include "live/name_lookup.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace greetlab {

// One lookup on its way; of several names, where SRV leads to them.
struct LiveNameLookup::Question {
  EventId started;
  Done done;
  std::size_t unanswered = 0;
  std::vector<Address> addresses;
  DnsStatus failure = DnsStatus::ok;
  std::string trouble;  // why it could not even be asked
};

LiveNameLookup::LiveNameLookup(Loop& loop, DnsResolver& resolver, Trace& trace, Symbol who,
                               const Target& target)
    : loop_(loop), resolver_(resolver), trace_(trace), who_(who), target_(target) {}

void LiveNameLookup::lookup(EventId because, Done done) {
  const auto question = std::make_shared<Question>();
  question->started =
      trace_.emit(who_, because, [&] { return LookupStarted{trace_.symbol(target_.name)}; });
  question->done = std::move(done);
  const bool srv = target_.kind == Target::Kind::srv;
  ask(question, target_.name,
      srv ? std::vector{RecordType::srv} : std::vector{RecordType::a, RecordType::aaaa},
      target_.port);
}

void LiveNameLookup::ask(const std::shared_ptr<Question>& question, const std::string& name,
                         std::vector<RecordType> types, std::uint16_t port) {
  ++question->unanswered;
  const auto tell = [this, &loop = loop_, alive = std::weak_ptr(alive_), question,
                     port](Lookup answer) {
    // On the resolver's thread, and we may be gone: only the loop may look at what is ours.
    if (answer.status == DnsStatus::cancelled) return;
    loop.post([this, alive, question, port, answer = std::move(answer)] {
      if (!alive.expired()) on_resolution(question, answer, port);
    });
  };
  try {
    resolver_.lookup(name, std::move(types), tell);
  } catch (const std::exception& failure) {  // no descriptors or no threads left
    question->trouble = failure.what();
    Lookup nothing;
    nothing.status = DnsStatus::unreachable;
    tell(std::move(nothing));
  }
}

void LiveNameLookup::on_resolution(const std::shared_ptr<Question>& question, const Lookup& answer,
                                   std::uint16_t port) {
  for (const Query& query : answer.queries) {
    trace_.emit(who_, question->started, [&] {
      return QueryAnswered{trace_.symbol(query.name), trace_.symbol(to_string(query.type)),
                           trace_.symbol(to_string(query.status)), query.ttl.value_or(0),
                           Duration(query.round_trip_ns)};
    });
  }
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
  answer.endpoints = endpoints_of(question.addresses);
  const DnsStatus status = question.addresses.empty() ? question.failure : DnsStatus::ok;
  if (question.addresses.empty()) {
    answer.status = {
        Code::unavailable,
        "DNS resolution failed for " + target_.name + ": " +
            (question.trouble.empty() ? std::string(describe(status)) : question.trouble)};
  }
  const EventId ended = trace_.emit(who_, question.started, [&] {
    std::string joined;
    for (const Address& address : question.addresses) {
      joined += joined.empty() ? "" : ",";
      joined += target_.kind == Target::Kind::srv ? to_string(address) : address.ip;
    }
    return LookupEnded{trace_.symbol(target_.name), trace_.symbol(to_string(status)),
                       trace_.symbol(joined),
                       static_cast<std::uint32_t>(question.addresses.size())};
  });
  question.done(std::move(answer), ended);
}

}  // namespace greetlab
