// sessionAffinity: ClientIP.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/address.h"
#include "core/time.h"

namespace greetlab {

/// Where each client's last connection went, by the client's address. A Service with
/// `sessionAffinity: ClientIP` sends the next one there, too, unless it comes longer after that one
/// than the timeout (10,800 s by default) or the endpoint has gone. kube-proxy does it with
/// iptables' `recent`, and each connection begins the time anew.
class ClientAffinity {
 public:
  explicit ClientAffinity(Duration timeout) : timeout_(timeout) {}

  /// @param now on any clock that only goes forward.
  /// @return nullptr: this client is free to go anywhere. Else one of `endpoints`.
  const Address* find(const std::string& client_ip, Time now,
                      const std::vector<Address>& endpoints) const {
    const auto last = last_.find(client_ip);
    if (last == last_.end() || now - last->second.at > timeout_) return nullptr;
    const auto there = std::ranges::find(endpoints, last->second.endpoint);
    return there == endpoints.end() ? nullptr : &*there;
  }

  void remember(const std::string& client_ip, const Address& endpoint, Time now) {
    last_[client_ip] = {endpoint, now};
  }

 private:
  struct Last {
    Address endpoint;
    Time at;
  };

  const Duration timeout_;
  std::unordered_map<std::string, Last> last_;
};

}  // namespace greetlab
