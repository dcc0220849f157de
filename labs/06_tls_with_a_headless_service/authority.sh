# For your shell: `. ../authority.sh`. Both functions write into the folder that you stand in.

# An authority of one's own: a key, ca.key, and a certificate that it has signed for itself, ca.crt.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt \
    -days 30 -subj "/CN=greetlab lab 6"
}

# NAMES [DAYS]: a certificate of it, tls.crt and tls.key, for "DNS:name,DNS:another,IP:10.0.0.1".
certificate() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.csr \
    -subj "/CN=greetserver"
  echo "subjectAltName=$1" >tls.ext
  openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days "${2:-30}" \
    -extfile tls.ext -out tls.crt
  openssl x509 -in tls.crt -noout -ext subjectAltName
}
