#include "dns/walk.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/search_list.h"
#include "dns/message.h"

namespace greetlab {
namespace {

/// Whether another server may know better.
bool is_worth_another_server(DnsStatus status) {
  switch (status) {
    case DnsStatus::timeout:
    case DnsStatus::unreachable:
    case DnsStatus::malformed:
    case DnsStatus::servfail:
    case DnsStatus::refused:
    case DnsStatus::notimp: return true;
    default: return false;
  }
}

}  // namespace

void Walk::start(DnsWire& wire, std::string name, std::vector<RecordType> types, Done done) {
  if (name.empty()) throw std::invalid_argument("lookup: the name is empty");
  if (types.empty()) {
    throw std::invalid_argument("lookup of '" + name +
                                "': no record types (use A, AAAA, SRV or TXT)");
  }
  const std::shared_ptr<Walk> walk(
      new Walk(wire, std::move(name), std::move(types), std::move(done)));
  walk->ask_next_name();
}

Walk::Walk(DnsWire& wire, std::string name, std::vector<RecordType> types, Done done)
    : wire_(wire),
      config_(wire.config()),
      done_(std::move(done)),
      names_(search_list(name, config_.search, config_.ndots)) {
  lookup_.name = std::move(name);
  std::ranges::sort(types);
  types.erase(std::unique(types.begin(), types.end()), types.end());
  for (const RecordType type : types) questions_.push_back({.type = type});
}

void Walk::ask_next_name() {
  ++next_name_;
  unanswered_ = questions_.size();
  for (Question& question : questions_) {
    question.tries = 0;
    ask(question, DnsTransport::udp);
  }
}

void Walk::ask(Question& question, DnsTransport transport) {
  question.last = lookup_.queries.size();
  lookup_.queries.emplace_back();  // its place in the order of sending
  wire_.ask(question.tries % config_.servers.size(), transport, names_[next_name_ - 1],
            question.type, [self = shared_from_this(), &question](Query query) {
              self->lookup_.queries[question.last] = std::move(query);
              self->on_answer(question);
            });
}

void Walk::on_answer(Question& question) {
  const DnsStatus status = lookup_.queries[question.last].status;
  if (status == DnsStatus::truncated) return ask(question, DnsTransport::tcp);
  if (is_worth_another_server(status)) {
    const auto tries = config_.servers.size() * static_cast<std::size_t>(config_.attempts);
    if (++question.tries < tries) return ask(question, DnsTransport::udp);
  }
  if (--unanswered_ == 0) settle_name();
}

void Walk::settle_name() {
  const auto status_of = [this](const Question& question) {
    return lookup_.queries[question.last].status;
  };
  const auto is_ok = [](DnsStatus status) { return status == DnsStatus::ok; };
  const auto is_absent = [](DnsStatus status) {
    return status == DnsStatus::no_data || status == DnsStatus::nxdomain;
  };
  const auto exists = [](DnsStatus status) { return status == DnsStatus::no_data; };

  if (std::ranges::any_of(questions_, is_ok, status_of)) {
    collect_answers();
    return finish(DnsStatus::ok);
  }
  const auto failed = std::ranges::find_if_not(questions_, is_absent, status_of);
  if (failed != questions_.end()) return finish(status_of(*failed));

  any_name_exists_ |= std::ranges::any_of(questions_, exists, status_of);
  if (next_name_ < names_.size()) return ask_next_name();
  finish(any_name_exists_ ? DnsStatus::no_data : DnsStatus::nxdomain);
}

void Walk::collect_answers() {
  lookup_.answer_name = names_[next_name_ - 1];
  for (const Question& question : questions_) {
    const Query& query = lookup_.queries[question.last];
    if (query.status != DnsStatus::ok) continue;
    lookup_.ttl = std::min(lookup_.ttl.value_or(*query.ttl), *query.ttl);
    const auto type = static_cast<std::uint16_t>(question.type);
    const auto answers = follow_cnames(query.records, query.name, type);
    lookup_.addresses.reserve(lookup_.addresses.size() + answers.size());
    for (const Record* record : answers) {
      if (record->srv) {
        lookup_.srv.push_back(*record->srv);
      } else if (question.type == RecordType::txt) {
        lookup_.txt.push_back(record->text);
      } else {
        lookup_.addresses.push_back(record->text);
      }
    }
  }
}

void Walk::finish(DnsStatus status) {
  lookup_.status = status;
  done_(std::move(lookup_));
}

}  // namespace greetlab
