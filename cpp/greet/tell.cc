#include "greet/tell.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <stdexcept>

#include "core/printable.h"
#include "flags/parsed_option.h"
#include "greet/control_client.h"

namespace greetlab {

CLI::App* declare_tell(CLI::App& app, TellFlags& flags) {
  CLI::App* tell = app.add_subcommand("tell", "change a server that runs, by its control socket");
  tell->add_option("control", flags.control, "as that server's --control has it")->required();
  add_parsed(*tell, "--latency", "greetings take this much longer; 0: no longer",
             parse_distribution, [&](Distribution value) { flags.latency = value; })
      ->type_name("TIME");
  CLI::Option* rate = tell->add_option_function<double>(
                              "--error-rate",
                              [&](double value) {
                                flags.failing.rate = value;
                                flags.fails = true;
                              },
                              "fail this share of greetings; 0: none")
                          ->check(CLI::Range(0.0, 1.0));
  const auto code = [](const std::string& text) {
    const auto known = code_named(text);
    if (!known || *known == Code::ok) throw std::invalid_argument("one of gRPC's codes, not OK");
    return *known;
  };
  add_parsed(*tell, "--error-code", "with this code; default: UNAVAILABLE", code,
             [&](Code value) { flags.failing.code = value; })
      ->type_name("CODE")
      ->needs(rate);
  const auto when = [](const std::string& text) {
    return text == "never" ? Duration(std::chrono::milliseconds(-1)) : parse_duration(text);
  };
  add_parsed(*tell, "--pushback",
             "say beside the code when it would be asked again (gRFC A6), or never", when,
             [&](Duration value) { flags.failing.pushback = value; })
      ->type_name("DURATION|never")
      ->needs(rate);
  tell->add_option("--serving", flags.serving, "what its health service says: true or false");
  return tell;
}

int tell(const TellFlags& flags) {
  const ControlClient server(flags.control, [] { return false; });
  try {
    if (flags.latency) server.set_latency(*flags.latency);
    if (flags.fails) server.set_failing(flags.failing);
    if (flags.serving) server.set_serving(*flags.serving);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "greet-server: " << printable(error.what()) << std::endl;
    return 1;
  }
}

}  // namespace greetlab
