#include "oracle/channelz.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_replace.h>
#include <arpa/inet.h>
#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "core/address.h"

namespace greetlab {
namespace {

using nlohmann::json;

// Takes over the C string that the channelz functions return; null for what does not exist.
json parse(char* text) {
  if (text == nullptr) return nullptr;
  json parsed = json::parse(text);
  gpr_free(text);
  return parsed;
}

// In proto3's JSON a 64-bit id is a string.
std::int64_t id(const json& ref, const char* key) {
  return std::stoll(ref.at(key).get<std::string>());
}

std::string local_address(std::int64_t socket_id) {
  const json socket = parse(grpc_channelz_get_socket(socket_id));
  if (socket.is_null() || !socket["socket"].contains("local")) return {};
  const json& local = socket["socket"]["local"];
  if (!local.contains("tcpip_address")) return {};
  std::string bytes;
  absl::Base64Unescape(local["tcpip_address"].value("ip_address", ""), &bytes);
  char text[INET6_ADDRSTRLEN];
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (inet_ntop(family, bytes.data(), text, sizeof text) == nullptr) return {};
  return to_string(Address{text, local["tcpip_address"].value("port", std::uint16_t{0})});
}

SubchannelView view(const json& subchannel) {
  SubchannelView shown;
  const json& data = subchannel["data"];
  // "ipv4:127.1.0.2:50051", "ipv6:%5B::1%5D:50051"
  const std::string target = data.value("target", "");
  shown.address =
      absl::StrReplaceAll(target.substr(target.find(':') + 1), {{"%5B", "["}, {"%5D", "]"}});
  shown.state = data["state"].value("state", "UNKNOWN");
  for (const json& ref : subchannel.value("socketRef", json::array())) {
    if (auto local = local_address(id(ref, "socketId")); !local.empty()) {
      shown.local_addresses.push_back(std::move(local));
    }
  }
  return shown;
}

}  // namespace

std::int64_t newest_channel_id(const std::string& target) {
  // Ids only grow, so no search needs to begin before the one that was found last.
  static std::atomic<std::int64_t> first{0};
  std::int64_t newest = 0;
  for (std::int64_t start = first;;) {
    const json page = parse(grpc_channelz_get_top_channels(static_cast<intptr_t>(start)));
    for (const json& channel : page.value("channel", json::array())) {
      const std::int64_t channel_id = id(channel["ref"], "channelId");
      start = channel_id + 1;
      if (channel["data"].value("target", "") == target) newest = channel_id;
    }
    if (page.value("end", true)) break;
  }
  if (newest != 0) first = newest;
  return newest;
}

std::vector<SubchannelView> subchannels_of(std::int64_t channel_id) {
  std::vector<SubchannelView> shown;
  const json channel = parse(grpc_channelz_get_channel(static_cast<intptr_t>(channel_id)));
  if (channel.is_null()) return shown;
  for (const json& ref : channel["channel"].value("subchannelRef", json::array())) {
    const json subchannel =
        parse(grpc_channelz_get_subchannel(static_cast<intptr_t>(id(ref, "subchannelId"))));
    if (!subchannel.is_null()) shown.push_back(view(subchannel["subchannel"]));
  }
  return shown;
}

}  // namespace greetlab
