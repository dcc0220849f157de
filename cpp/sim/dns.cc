#include "sim/dns.h"

#include <algorithm>
#include <utility>

#include "core/search_list.h"

namespace greetlab {
namespace {

// A pod's resolv.conf.
const std::vector<std::string> kSearch{"default.svc.cluster.local", "svc.cluster.local",
                                       "cluster.local"};
constexpr int kNdots = 5;

}  // namespace

// One lookup on its way through the search list.
class SimDns::Walk final : public std::enable_shared_from_this<SimDns::Walk> {
 public:
  Walk(SimDns& dns, std::string_view name, bool config, Symbol who, EventId started,
       std::weak_ptr<const void> alive, Done done)
      : dns_(dns),
        config_(config),
        who_(who),
        started_(started),
        alive_(std::move(alive)),
        done_(std::move(done)),
        names_(search_list(name, kSearch, kNdots)) {
    lookup_.name = name;
  }

  void ask() {
    const Duration trip = dns_.config_.round_trip;
    const auto spread = static_cast<std::uint64_t>((trip * 2 / 5).count());
    const Duration drawn =
        trip * 4 / 5 + Duration(static_cast<std::int64_t>(dns_.rng_.below(spread + 1)));
    timer_ = dns_.clock_.at(dns_.clock_.now() + drawn, [self = shared_from_this(), drawn] {
      if (!self->alive_.expired()) self->on_reply(drawn);
    });
  }

 private:
  void on_reply(Duration trip) {
    const std::string& name = names_[next_++];
    std::vector<std::string> ips;
    std::vector<std::string> six;
    for (std::string& ip : dns_.answer(name)) {
      (ip.find(':') == std::string::npos ? ips : six).push_back(std::move(ip));
    }
    const bool exists = !ips.empty() || !six.empty();
    const auto status = [&](bool any) {
      return any ? DnsStatus::ok : exists ? DnsStatus::no_data : DnsStatus::nxdomain;
    };
    tell(name, RecordType::a, status(!ips.empty()), trip, ips);
    tell(name, RecordType::aaaa, status(!six.empty()), trip, six);
    // A before AAAA: the IPv6 ones are unique local, which RFC 6724 puts last.
    for (std::string& ip : six) ips.push_back(std::move(ip));
    if (config_ && exists) {
      const auto found = dns_.configs_.find(name);
      if (found != dns_.configs_.end()) lookup_.txt = {found->second};
      // Nothing else is called so: to CoreDNS it is a pod's name that is not there.
      const auto known = lookup_.txt.empty() ? DnsStatus::nxdomain : DnsStatus::ok;
      tell("_grpc_config." + name, RecordType::txt, known, trip, lookup_.txt);
    }
    if (!exists && next_ < names_.size()) return ask();
    lookup_.status = exists ? DnsStatus::ok : DnsStatus::nxdomain;
    if (exists) {
      lookup_.answer_name = name;
      lookup_.ttl = dns_.config_.ttl;
    }
    lookup_.addresses = ips;
    Trace& trace = dns_.trace_;
    const EventId ended = trace.emit(who_, started_, [&] {
      std::string joined;
      for (const auto& ip : ips) joined += (joined.empty() ? "" : ",") + ip;
      return LookupEnded{trace.symbol(lookup_.name), trace.symbol(to_string(lookup_.status)),
                         trace.symbol(joined), static_cast<std::uint32_t>(ips.size())};
    });
    done_(lookup_, ended);
  }

  void tell(const std::string& name, RecordType type, DnsStatus status, Duration trip,
            const std::vector<std::string>& ips) {
    ++dns_.queries_;
    Query& query = lookup_.queries.emplace_back();
    query.name = name;
    query.type = type;
    query.server = dns_.config_.server;
    query.status = status;
    query.rcode = status == DnsStatus::nxdomain ? 3 : 0;
    query.authoritative = true;
    query.started_ns = (dns_.clock_.now() - trip).time_since_epoch().count();
    query.round_trip_ns = trip.count();
    const std::uint32_t ttl = dns_.config_.ttl;
    for (const std::string& ip : ips) {
      query.ttl = ttl;
      query.records.push_back({name, static_cast<std::uint16_t>(type), ttl, ip, {}});
    }
    Trace& trace = dns_.trace_;
    trace.emit(who_, started_, [&] {
      return QueryAnswered{trace.symbol(name), trace.symbol(to_string(type)),
                           trace.symbol(to_string(status)), query.ttl.value_or(0), trip};
    });
  }

  SimDns& dns_;
  const bool config_;
  const Symbol who_;
  const EventId started_;
  const std::weak_ptr<const void> alive_;
  const Done done_;
  const std::vector<std::string> names_;
  std::size_t next_ = 0;
  Lookup lookup_;
  Timer timer_;
};

SimDns::SimDns(Clock& clock, Rng& rng, Trace& trace, SimDnsConfig config)
    : clock_(clock), rng_(rng), trace_(trace), config_(config) {}

void SimDns::set(const std::string& name, std::vector<std::string> addresses) {
  table_[name] = std::move(addresses);
}

void SimDns::set_config(const std::string& name, std::string record) {
  if (record.empty()) {
    configs_.erase(name);
  } else {
    configs_[name] = std::move(record);
  }
}

void SimDns::lookup(std::string_view name, bool config, Symbol who, EventId cause,
                    std::weak_ptr<const void> alive, Done done) {
  const EventId started =
      trace_.emit(who, cause, [&] { return LookupStarted{trace_.symbol(name)}; });
  std::make_shared<Walk>(*this, name, config, who, started, std::move(alive), std::move(done))
      ->ask();
}

std::vector<std::string> SimDns::answer(const std::string& name) {
  if (config_.cache) {
    const auto cached = cache_.find(name);
    if (cached != cache_.end() && clock_.now() < cached->second.until) {
      return cached->second.addresses;
    }
  }
  const auto found = table_.find(name);
  std::vector<std::string> addresses =
      found == table_.end() ? std::vector<std::string>{} : found->second;
  for (std::size_t left = addresses.size(); left > 1; --left) {  // CoreDNS shuffles
    std::swap(addresses[left - 1], addresses[rng_.below(left)]);
  }
  if (config_.cache) {
    cache_[name] = {addresses, clock_.now() + std::chrono::seconds(config_.ttl)};
  }
  return addresses;
}

SimNameLookup::SimNameLookup(SimDns& dns, Rng& rng, std::string name, std::uint16_t port,
                             Symbol who, ReadTxtConfig read_config)
    : dns_(dns),
      rng_(rng),
      name_(std::move(name)),
      port_(port),
      who_(who),
      read_config_(std::move(read_config)) {}

void SimNameLookup::lookup(EventId cause, Done done) {
  dns_.lookup(name_, read_config_ != nullptr, who_, cause, alive_,
              [this, done = std::move(done)](const Lookup& found, EventId cause) {
                Resolution answer;
                if (found.addresses.empty()) {
                  answer.status = {Code::unavailable, "DNS resolution failed for " + name_ + ": " +
                                                          std::string(describe(found.status))};
                }
                for (const auto& ip : found.addresses) answer.endpoints.push_back({{{ip, port_}}});
                if (read_config_ && !found.txt.empty()) {
                  read_config_(found.txt, static_cast<std::uint32_t>(rng_.below(100)), answer);
                }
                done(std::move(answer), cause);
              });
}

}  // namespace greetlab
