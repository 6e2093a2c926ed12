#!/bin/sh
# Makes every file of this folder anew. They are fixed so that the tests need no certificate crate.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/ca.cnf" <<CNF
[ca]
default_ca = authority
[authority]
database = $work/index.txt
serial = $work/serial
new_certs_dir = $work
certificate = ca.pem
private_key = $work/ca.key
default_md = sha256
policy = anything
[anything]
commonName = supplied
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
CNF
touch "$work/index.txt"
echo 1000 > "$work/serial"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

key "$work/ca.key"
openssl req -new -key "$work/ca.key" -subj "/CN=abide test root" -config "$work/ca.cnf" -out "$work/ca.csr"
openssl ca -batch -notext -selfsign -config "$work/ca.cnf" -extensions root -in "$work/ca.csr" \
    -keyfile "$work/ca.key" -out ca.pem -startdate 20200101000000Z -enddate 21200101000000Z 2>/dev/null

# leaf NAME USAGE ALTERNATIVE_NAMES FIRST_DAY LAST_DAY: one file with certificate and key.
leaf() {
    key "$work/$1.key"
    {
        echo "basicConstraints = critical,CA:FALSE"
        echo "keyUsage = critical,digitalSignature"
        echo "extendedKeyUsage = $2"
        echo "subjectAltName = $3"
    } > "$work/$1.ext"
    openssl req -new -key "$work/$1.key" -subj "/CN=abide test $1" -config "$work/ca.cnf" -out "$work/$1.csr"
    openssl ca -batch -notext -config "$work/ca.cnf" -extfile "$work/$1.ext" -in "$work/$1.csr" \
        -startdate "$4" -enddate "$5" -out "$work/$1.crt" 2>/dev/null
    cat "$work/$1.crt" "$work/$1.key" > "$1.pem"
}

leaf server serverAuth "DNS:localhost,IP:127.0.0.1,IP:::1" 20200101000000Z 21200101000000Z
leaf expired serverAuth "DNS:localhost,IP:127.0.0.1,IP:::1" 20200101000000Z 20210101000000Z
leaf wrong-host serverAuth "DNS:elsewhere.test" 20200101000000Z 21200101000000Z
leaf client clientAuth "DNS:client.test" 20200101000000Z 21200101000000Z
