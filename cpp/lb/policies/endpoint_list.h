// What all policies have in common that keep a connection to every endpoint.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "lb/policy.h"
#include "lb/subchannel.h"

namespace greetlab {

/// Connects to every endpoint, keeps every connection, and leaves to a derived policy just what it
/// is about: the picker. The rules are round_robin's (client channel spec; grpc/grpc
/// `round_robin.cc` of 1.51), which gRPC's other policies share (`endpoint_list.h`); where their
/// order matters they are numbered in the source:
///
/// - one connection per endpoint, all made at once, and again whenever they are IDLE;
/// - a new list of addresses is *pending* until it is worth swapping in;
/// - the picker chooses among the READY ones.
///
/// Where the service config asks for it, READY is who is healthy, too (gRFC A17).
///
/// All are told to connect in the list's order, as in gRPC 1.51; the newest C-core (1.84) begins at
/// a random one of them.
///
/// Which of an endpoint's addresses it is, where it has several, is found as pick_first does (gRFC
/// A61; gRPC 1.66 and newer).
class EndpointListPolicy : public LbPolicy {
 public:
  /// @param helper, clock: outlive the policy.
  EndpointListPolicy(PolicyHelper& helper, Clock& clock);
  ~EndpointListPolicy() override;

  bool update(const Resolution& update, EventId cause) final;
  /// It never is IDLE: it always connects.
  void exit_idle(EventId) final {}

 protected:
  /// Makes the picker for these READY subchannels, one an endpoint, in the order of the list. The
  /// policy holds them until it has published another picker.
  virtual std::unique_ptr<Picker> make_picker(std::vector<Subchannel*> ready) = 0;

  /// Lets a derived policy stand before its subchannels, to see what becomes of them
  /// (lb/delegating_subchannel.h).
  virtual std::shared_ptr<Subchannel> dress(std::shared_ptr<Subchannel> subchannel) {
    return subchannel;
  }

  PolicyHelper& helper() const { return helper_; }

 private:
  class List;
  class Child;
  class OneAddress;
  class SeveralAddresses;

  std::shared_ptr<Subchannel> subchannel(const Address& address, EventId cause);
  void on_child_changed(List& list, EventId cause);
  void publish(EventId cause);
  void fail(const Status& why, EventId cause);

  PolicyHelper& helper_;
  Clock& clock_;
  std::unique_ptr<List> current_;
  std::unique_ptr<List> pending_;
  std::uint32_t lists_ = 0;
  // Those that the lists have, and for the health of which service they ask.
  using Dressed = std::pair<std::weak_ptr<Subchannel>, std::optional<std::string>>;
  std::map<SubchannelId, Dressed> dressed_;
};

}  // namespace greetlab
