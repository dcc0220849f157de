#include "live/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/printable.h"

namespace greetlab {
namespace {

template <class Thing, void (*free)(Thing*)>
struct Freer {
  void operator()(Thing* thing) const { free(thing); }
};
using X509Ptr = std::unique_ptr<X509, Freer<X509, X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY, EVP_PKEY_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES, GENERAL_NAMES_free>>;
using BioPtr = std::unique_ptr<BIO, Freer<BIO, BIO_free_all>>;

BioPtr reader(const std::string& pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

X509Ptr next_certificate(BIO* from) {
  return X509Ptr(PEM_read_bio_X509(from, nullptr, nullptr, nullptr));
}

void trust(SSL_CTX* context, const std::string& pem) {
  if (pem.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return;
  }
  const BioPtr from = reader(pem);
  bool any = false;
  while (const X509Ptr authority = next_certificate(from.get())) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
    any = true;
  }
  if (!any) throw std::invalid_argument("ca: there is no certificate (PEM) in that file");
}

void show(SSL_CTX* context, const Credentials& credentials) {
  if (credentials.cert.empty()) return;
  const BioPtr from = reader(credentials.cert);
  const X509Ptr own = next_certificate(from.get());
  if (!own) throw std::invalid_argument("cert: there is no certificate (PEM) in that file");
  SSL_CTX_use_certificate(context, own.get());
  while (X509Ptr link = next_certificate(from.get())) {
    SSL_CTX_add0_chain_cert(context, link.release());
  }
  // No password is asked for: nobody may be at the terminal.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const BioPtr key_from = reader(credentials.key);
  const KeyPtr key(PEM_read_bio_PrivateKey(key_from.get(), nullptr, no_password, nullptr));
  if (!key) throw std::invalid_argument("key: there is no private key (PEM, open) in that file");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    throw std::invalid_argument("key: it is not the key of the certificate in cert");
  }
}

std::string text_of(const ASN1_STRING* text) {
  return utf8({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
               static_cast<std::size_t>(ASN1_STRING_length(text))});
}

std::string common_name(const X509_NAME* of) {
  const int at = X509_NAME_get_index_by_NID(of, NID_commonName, -1);
  if (at < 0) return {};
  return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(of, at)));
}

std::string address_text(const ASN1_OCTET_STRING* address) {
  const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(address) != 16) return "(no address)";
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size());
}

// "a, b, and 3 more": those for whom it is.
std::string names_in(const X509* certificate) {
  std::vector<std::string> names;
  const NamesPtr found(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(found.get()); ++i) {
    const GENERAL_NAME* const one = sk_GENERAL_NAME_value(found.get(), i);
    if (one->type == GEN_DNS) names.push_back(text_of(one->d.dNSName));
    if (one->type == GEN_IPADD) names.push_back(address_text(one->d.iPAddress));
  }
  if (names.empty()) names.push_back(common_name(X509_get_subject_name(certificate)));
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

std::string time_text(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "a time that makes no sense";
  std::array<char, 40> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

bool is_ip(const std::string& name) {
  ASN1_OCTET_STRING* const address = a2i_IPADDRESS(name.c_str());
  ASN1_OCTET_STRING_free(address);
  return address != nullptr;
}

// Why a certificate is refused, and whose it is.
std::string certificate_refused(X509_STORE_CTX* check, const std::string& name) {
  const int why = X509_STORE_CTX_get_error(check);
  const X509* const leaf = X509_STORE_CTX_get0_cert(check);
  const X509* const at_fault = X509_STORE_CTX_get_current_cert(check);  // of the chain
  switch (why) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the certificate is for " + names_in(leaf) + ", not for " + name +
             ", the name that was asked for";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the certificate has expired: it was good until " +
             time_text(X509_get0_notAfter(at_fault));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the certificate is not valid yet: it is good from " +
             time_text(X509_get0_notBefore(at_fault)) + " on; is our clock right?";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "the certificate is signed by '" + common_name(X509_get_issuer_name(leaf)) +
             "', an authority that we do not trust (option ca)";
    default:
      return std::string("the certificate is of no use: ") + X509_verify_cert_error_string(why);
  }
}

}  // namespace

TlsClient::TlsClient(const Credentials& credentials, std::string name)
    : context_(SSL_CTX_new(TLS_client_method())), name_(std::move(name)) {
  if (context_ == nullptr) throw std::runtime_error("OpenSSL has no memory left");
  if (name_.ends_with('.')) name_.pop_back();  // as certificates have it
  try {
    SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);  // RFC 9113 9.2
    SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);     // a thousand connections idle cheaply
    static constexpr unsigned char kH2[] = {2, 'h', '2'};
    SSL_CTX_set_alpn_protos(context_, kH2, sizeof kH2);
    trust(context_, credentials.ca);
    show(context_, credentials);
  } catch (...) {
    SSL_CTX_free(context_);
    throw;
  }
  ERR_clear_error();
}

TlsClient::~TlsClient() {
  SSL_CTX_free(context_);
}

TlsSession::TlsSession(const TlsClient& client)
    : client_(client),
      ssl_(SSL_new(client.context_)),
      in_(BIO_new(BIO_s_mem())),
      out_(BIO_new(BIO_s_mem())) {
  SSL_set_bio(ssl_, in_, out_);
  SSL_set_connect_state(ssl_);
  SSL_set_app_data(ssl_, this);
  // OpenSSL shows a certificate that it refuses to nobody but this.
  SSL_set_verify(ssl_, SSL_VERIFY_PEER, [](int good, X509_STORE_CTX* check) {
    if (good != 1) {
      const auto* const ssl = static_cast<const SSL*>(
          X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
      auto* const self = static_cast<TlsSession*>(SSL_get_app_data(ssl));
      self->refusal_ = certificate_refused(check, self->client_.name_);
    }
    return good;
  });
  const std::string& name = client.name_;
  if (is_ip(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), name.c_str());
  } else {
    SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl_, name.c_str());
    SSL_set_tlsext_host_name(ssl_, name.c_str());  // RFC 6066 3: no addresses
  }
  // On a client, OpenSSL calls this when the server has asked for a certificate.
  SSL_set_cert_cb(
      ssl_,
      [](SSL* ssl, void* self) {
        static_cast<TlsSession*>(self)->owes_certificate_ = SSL_get_certificate(ssl) == nullptr;
        return 1;
      },
      this);
}

TlsSession::~TlsSession() {
  SSL_free(ssl_);
}

bool TlsSession::receive(std::string_view wire, std::string& plain) {
  if (std::exchange(awaits_answer_, false)) ++agreement_.round_trips;
  BIO_write(in_, wire.data(), static_cast<int>(wire.size()));
  if (!established_) shake_hands();
  while (established_ && failure_.empty()) {
    std::array<char, 16 * 1024> record;
    ERR_clear_error();
    const int size = SSL_read(ssl_, record.data(), static_cast<int>(record.size()));
    if (size > 0) {
      plain.append(record.data(), static_cast<std::size_t>(size));
      continue;
    }
    const int error = SSL_get_error(ssl_, size);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_ZERO_RETURN) break;
    fail(explained());
  }
  return failure_.empty();
}

void TlsSession::take_output(std::string_view plain, std::string& wire) {
  if (!established_ && failure_.empty()) shake_hands();
  // Memory takes all of it.
  if (!plain.empty()) SSL_write(ssl_, plain.data(), static_cast<int>(plain.size()));
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out_, &bytes);
  if (size <= 0) return;
  wire.append(bytes, static_cast<std::size_t>(size));
  BIO_reset(out_);
  awaits_answer_ = !established_;
}

void TlsSession::hung_up(const std::string& why) {
  if (!failure_.empty()) return;
  if (owes_certificate_) return fail(why);
  if (!established_) fail(why + " in the middle of the handshake: is it a TLS server?");
}

void TlsSession::shake_hands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return check_agreement();
  if (SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) fail(explained());
}

void TlsSession::check_agreement() {
  const unsigned char* alpn = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &alpn, &size);
  // RFC 9113 3.2: HTTP/2 over TLS is agreed on, never assumed.
  if (std::string_view(reinterpret_cast<const char*>(alpn), size) != "h2") {
    return fail("the server has not agreed to HTTP/2 (ALPN h2): is it an HTTP/2 server?");
  }
  agreement_.protocol = SSL_get_version(ssl_);
  agreement_.name = client_.name_;
  established_ = true;
}

void TlsSession::fail(std::string why) {
  failure_ = std::move(why);
  if (owes_certificate_) {
    failure_ += ". It asks for a client certificate, and was given none (options cert and key)";
  }
}

// From what OpenSSL has just said of it.
std::string TlsSession::explained() const {
  const unsigned long error = ERR_peek_error();
  switch (ERR_GET_REASON(error)) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return refusal_;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_HTTP_REQUEST: return "the answer is no TLS: is the server one without it?";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return "the server refuses us";
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
      return "the server has no HTTP/2 (ALPN h2): is it an HTTP/2 server?";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "the server refuses our certificate: it does not trust who has signed it";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "the server refuses our certificate: it has expired";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR: return "the server refuses our certificate";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL: return "the server speaks no TLS of ours: 1.2 or 1.3";
    default: break;
  }
  const char* const words = ERR_reason_error_string(error);
  return words != nullptr ? words : "the handshake has failed";
}

}  // namespace greetlab
