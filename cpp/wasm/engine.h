// The engine of the page: the virtual world behind a few functions that any language can call.
//
// A text goes in by `gl_input`: so many bytes of UTF-8, written where it says. Each function
// answers with a number; -1 is an error, of which `gl_output` has the sentence, as many bytes as it
// has up to a NUL. Nothing that is given to them, in whatever order, can end the program: misuse is
// an error, and a world that memory ran out in is one that answers with an error from then on.
//
// Worlds are numbers from 1; there may be several. One thread calls.
#pragma once

#include <cstdint>

#if defined(__wasm__)
#define GREETLAB_EXPORT(name) extern "C" __attribute__((export_name(#name)))
#else
#define GREETLAB_EXPORT(name) extern "C" __attribute__((visibility("default")))
#endif

/// Where to write a text of this size; 0 if it is too long (1 MiB). Good until the next call.
GREETLAB_EXPORT(gl_input) void* gl_input(std::uint32_t size);
/// What the last answer was about: a text, ended by a NUL, or a table. Good until the next call.
GREETLAB_EXPORT(gl_output) const void* gl_output();

/// JSON (wasm/about.h): the layouts, the facts, the options, the policies, the commands.
/// @return its length.
GREETLAB_EXPORT(gl_about) double gl_about();

/// A world from the script (wasm/script.h) in the input. What is to be done to it is, when its time
/// comes.
/// @return the world.
GREETLAB_EXPORT(gl_open) double gl_open(std::uint32_t size);
/// Ends it, and gives its memory back.
GREETLAB_EXPORT(gl_close) double gl_close(std::uint32_t world);

/// Follows the command in the input, now.
GREETLAB_EXPORT(gl_follow) double gl_follow(std::uint32_t world, std::uint32_t size);
/// Lets time pass.
/// @param until nanoseconds since the world began.
/// @param steps after so many it stops: the page has other things to do.
/// @return 1 if `until` has come, 0 if there is more to do before.
GREETLAB_EXPORT(gl_run) double gl_run(std::uint32_t world, double until, std::uint32_t steps);

/// A table (`about` counts them): its rows begin at the output. Good until the next call.
/// @return how many rows.
GREETLAB_EXPORT(gl_table) double gl_table(std::uint32_t world, std::uint32_t table);
/// The word of a symbol. @return its length.
GREETLAB_EXPORT(gl_word) double gl_word(std::uint32_t world, std::uint32_t symbol);
/// An event in words. @param event from 0. @return the sentence's length.
GREETLAB_EXPORT(gl_sentence) double gl_sentence(std::uint32_t world, std::uint32_t event);
/// What was done to it, and what is still to come. @return the script's length.
GREETLAB_EXPORT(gl_script) double gl_script(std::uint32_t world);
/// 16 hexadecimal digits: the same for the same events (trace/digest.h). @return 16.
GREETLAB_EXPORT(gl_digest) double gl_digest(std::uint32_t world);
