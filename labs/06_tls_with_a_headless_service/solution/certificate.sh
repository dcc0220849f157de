#!/bin/sh
# An authority, and a certificate of it for the headless Service, in this folder.
set -e
cd "$(dirname "$0")"
. ../authority.sh
authority
certificate DNS:greetserver-headless.greetlab.svc.cluster.local,DNS:greetserver-headless.greetlab.svc,DNS:greetserver-headless.greetlab,DNS:greetserver-headless
