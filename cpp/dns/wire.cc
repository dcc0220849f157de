#include "dns/wire.h"

#include <ares.h>
#include <arpa/inet.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

#include "dns/message.h"

namespace greetlab {
namespace {

/// CLOCK_MONOTONIC, which the processes of one machine share.
std::int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

DnsStatus status_of_rcode(std::uint8_t rcode) {
  constexpr std::array kStatus = {DnsStatus::ok,       DnsStatus::formerr, DnsStatus::servfail,
                                  DnsStatus::nxdomain, DnsStatus::notimp,  DnsStatus::refused};
  return rcode < kStatus.size() ? kStatus[rcode] : DnsStatus::other_rcode;
}

/// Why there is no reply.
DnsStatus status_of_ares(int status) {
  switch (status) {
    case ARES_ETIMEOUT: return DnsStatus::timeout;
    case ARES_EBADNAME: return DnsStatus::bad_name;
    case ARES_EBADRESP: return DnsStatus::malformed;
    case ARES_EDESTRUCTION: return DnsStatus::cancelled;
    default: return DnsStatus::unreachable;
  }
}

void read_reply(std::span<const std::uint8_t> bytes, Query& query) {
  // Who gets no EDNS must keep to 512 bytes or set TC (RFC 1035 4.2.1). Not all do, and c-ares 1.18
  // cuts what is longer.
  constexpr std::size_t kLongestDatagram = 512;
  const bool cut = query.transport == DnsTransport::udp && bytes.size() == kLongestDatagram;
  query.reply.assign(bytes.begin(), bytes.end());
  std::optional<DnsMessage> message = read_message(bytes, cut);
  if (!message || !message->is_reply) {
    query.status = DnsStatus::malformed;
    return;
  }
  query.rcode = message->rcode;
  query.authoritative = message->authoritative;
  query.records = std::move(message->answers);
  for (const Record& record : query.records) {
    query.ttl = std::min(query.ttl.value_or(record.ttl), record.ttl);
  }
  query.status = status_of_rcode(message->rcode);
  const auto type = static_cast<std::uint16_t>(query.type);
  if (message->truncated && query.transport == DnsTransport::udp) {
    query.status = DnsStatus::truncated;
  } else if (query.status == DnsStatus::ok &&
             follow_cnames(query.records, query.name, type).empty()) {
    query.status = DnsStatus::no_data;
  }
}

ResolverConfig checked(ResolverConfig config) {
  const auto need = [](bool holds, const std::string& what) {
    if (!holds) throw std::invalid_argument(what);
  };
  need(config.timeout.count() >= 1, "resolver: the timeout must be at least 1 ms, not " +
                                        std::to_string(config.timeout.count()) + " ms");
  need(config.attempts >= 1,
       "resolver: attempts must be at least 1, not " + std::to_string(config.attempts));
  need(config.ndots >= 0,
       "resolver: ndots must be at least 0, not " + std::to_string(config.ndots));
  need(!config.servers.empty(), "a resolver needs at least one DNS server, such as 10.96.0.10:53");
  for (const Address& server : config.servers) {
    in6_addr parsed{};
    need(inet_pton(AF_INET, server.ip.c_str(), &parsed) == 1 ||
             inet_pton(AF_INET6, server.ip.c_str(), &parsed) == 1,
         "DNS server '" + to_string(server) + "': '" + server.ip +
             "' is not an IP address (expected one such as 10.96.0.10:53)");
  }
  return config;
}

[[noreturn]] void fail(const std::string& attempt, const std::string& why) {
  throw std::runtime_error(attempt + ": " + why);
}

}  // namespace

/// A question on its way: in c-ares' hands, then among the finished.
struct DnsWire::Asked {
  Channel* channel;
  Query query;
  Answered answered;
};

struct DnsWire::Socket final : Descriptors::Source {
  Socket(Channel& owner, ares_socket_t socket) : channel(owner), fd(socket) {}
  void on_ready(std::uint32_t events) override;

  Channel& channel;
  const ares_socket_t fd;
};

struct DnsWire::Channel {
  Channel(DnsWire& owner, const Address& server, DnsTransport transport);
  ~Channel() { ares_destroy(ares); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  static void on_reply(void* asked, int status, int timeouts, unsigned char* reply, int length);
  static void on_socket(void* channel, ares_socket_t socket, int readable, int writable);

  DnsWire& wire;
  ares_channel ares = nullptr;
  std::size_t in_flight = 0;
  std::size_t unreachable = 0;  ///< Questions that ended so, ever.
  bool asking = false;
};

DnsWire::Channel::Channel(DnsWire& owner, const Address& server, DnsTransport transport)
    : wire(owner) {
  // One server, one try, every reply handed over as it is: c-ares would otherwise walk the servers
  // and the search list itself, turn to TCP itself, and keep error replies to itself.
  std::array<char, 10> no_file{"/dev/null"};
  ares_options options{};
  options.flags =
      ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_IGNTC | ARES_FLAG_NOCHECKRESP;
  // A UDP socket is kept, for a new one takes a tenth of the time of a lookup. A connection is not:
  // the server may close it meanwhile, and the next question would fail on it.
  options.flags |= transport == DnsTransport::tcp ? ARES_FLAG_USEVC : ARES_FLAG_STAYOPEN;
  options.timeout = static_cast<int>(wire.config_.timeout.count());
  options.tries = 1;
  options.resolvconf_path = no_file.data();
  options.sock_state_cb = on_socket;
  options.sock_state_cb_data = this;
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_RESOLVCONF |
             ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_MAXTIMEOUTMS
  options.maxtimeout = options.timeout;  // else nothing below 250 ms is heeded
  mask |= ARES_OPT_MAXTIMEOUTMS;
#endif
#ifdef ARES_OPT_QUERY_CACHE
  options.qcache_max_ttl = 0;  // an answer out of a cache is no query on the wire
  mask |= ARES_OPT_QUERY_CACHE;
#endif
  const std::string attempt = "set up c-ares for the DNS server " + to_string(server);
  if (const int status = ares_init_options(&ares, &options, mask); status != ARES_SUCCESS) {
    fail(attempt, ares_strerror(status));
  }
  if (const int status = ares_set_servers_ports_csv(ares, to_string(server).c_str());
      status != ARES_SUCCESS) {
    ares_destroy(ares);
    fail(attempt, ares_strerror(status));
  }
}

void DnsWire::Channel::on_reply(void* asked, int status, int /*timeouts*/, unsigned char* reply,
                                int length) {
  std::unique_ptr<Asked> owned(static_cast<Asked*>(asked));
  Channel& channel = *owned->channel;
  Query& query = owned->query;
  --channel.in_flight;
  query.round_trip_ns = now_ns() - query.started_ns;
  if (reply) {
    read_reply({reply, static_cast<std::size_t>(length)}, query);
  } else {
    query.status = status_of_ares(status);
    if (query.status == DnsStatus::unreachable) {
      ++channel.unreachable;
      // c-ares does not say why there was no socket. It has just asked for one: `ask` is below us.
      if (channel.asking && (errno == EMFILE || errno == ENFILE))
        query.status = DnsStatus::no_socket;
    }
  }
  channel.wire.finished_.push_back(std::move(owned));
}

// c-ares says this of a new socket, and before it closes one.
void DnsWire::Channel::on_socket(void* channel, ares_socket_t fd, int readable, int writable) {
  auto& self = *static_cast<Channel*>(channel);
  DnsWire& wire = self.wire;
  const auto events =
      static_cast<std::uint32_t>((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
  const auto known = std::ranges::find(wire.sockets_, fd, [](const auto& one) { return one->fd; });
  if (known == wire.sockets_.end()) {
    if (events == 0) return;
    Socket& socket = *wire.sockets_.emplace_back(std::make_unique<Socket>(self, fd));
    // If the kernel cannot watch one more, nobody hears of a reply: the question times out.
    wire.descriptors_.watch(fd, events, socket);
  } else if (events != 0) {
    wire.descriptors_.change(fd, events, **known);
  } else {
    wire.descriptors_.forget(fd, **known);
    wire.sockets_.erase(known);
  }
}

// It may be gone when c-ares has seen to it.
void DnsWire::Socket::on_ready(std::uint32_t events) {
  DnsWire& wire = channel.wire;
  const bool writable = (events & POLLOUT) != 0;
  const bool readable = (events & ~std::uint32_t{POLLOUT}) != 0;  // an error is to be read, too
  ares_process_fd(channel.ares, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
  wire.look_after();
}

DnsWire::DnsWire(Clock& clock, Descriptors& descriptors, ResolverConfig config)
    : clock_(clock), descriptors_(descriptors), config_(checked(std::move(config))) {
  static const int library = ares_library_init(ARES_LIB_INIT_ALL);
  if (library != ARES_SUCCESS) fail("start c-ares", ares_strerror(library));
  for (const Address& server : config_.servers) {
    channels_.push_back(std::make_unique<Channel>(*this, server, DnsTransport::udp));
    channels_.push_back(std::make_unique<Channel>(*this, server, DnsTransport::tcp));
  }
}

DnsWire::~DnsWire() {
  channels_.clear();
  deliver();
}

void DnsWire::ask(std::size_t server, DnsTransport transport, const std::string& name,
                  RecordType type, Answered answered) {
  constexpr int kClassIn = 1;
  auto asked = std::make_unique<Asked>(nullptr, Query{}, std::move(answered));
  asked->query.name = name;
  asked->query.type = type;
  asked->query.server = config_.servers[server];
  asked->query.transport = transport;
  asked->query.started_ns = now_ns();
  if (channels_.empty()) {  // we are being destroyed
    asked->query.status = DnsStatus::cancelled;
    finished_.push_back(std::move(asked));
    return;
  }
  Channel& channel = *channels_[2 * server + (transport == DnsTransport::tcp)];
  asked->channel = &channel;
  ++channel.in_flight;
  const std::size_t unreachable_before = channel.unreachable;
  errno = 0;
  channel.asking = true;
  ares_query(channel.ares, name.c_str(), kClassIn, static_cast<int>(type), Channel::on_reply,
             asked.release());
  channel.asking = false;
  // The kernel reports a closed UDP port once, to whoever uses the socket next. Was that this
  // question, then those sent before it would wait for nothing until they time out.
  if (channel.unreachable != unreachable_before) ares_cancel(channel.ares);
  look_after_soon();
}

void DnsWire::look_after_soon() {
  if (std::exchange(is_soon_, true)) return;
  soon_ = clock_.at(clock_.now(), [this] {
    is_soon_ = false;
    look_after();
  });
}

// Hands over what has ended, and waits for what is next to time out.
void DnsWire::look_after() {
  deliver();
  std::optional<Duration> wait;
  for (const auto& channel : channels_) {
    timeval left{};
    if (channel->in_flight == 0 || !ares_timeout(channel->ares, nullptr, &left)) continue;
    const Duration one =
        std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
    wait = std::min(wait.value_or(one), one);
  }
  if (!wait) return timeout_.cancel();
  timeout_ = clock_.at(clock_.now() + *wait, [this] {
    for (const auto& channel : channels_) {
      const auto none = ARES_SOCKET_BAD;
      if (channel->in_flight > 0) ares_process_fd(channel->ares, none, none);
    }
    look_after();
  });
}

void DnsWire::deliver() {
  while (!finished_.empty()) {  // an answer may lead to a question that fails at once
    delivering_.swap(finished_);
    for (const auto& asked : delivering_) asked->answered(std::move(asked->query));
    delivering_.clear();
  }
}

}  // namespace greetlab
