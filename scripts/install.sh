#!/bin/sh
# Install the C library under PREFIX (default /usr/local), below DESTDIR if that is set: header,
# shared library with its links, static library, pkg-config file.
set -eu
profile=${1:-release}
prefix=${PREFIX:-/usr/local}
to="${DESTDIR:-}$prefix"
version=$(sed -n 's/^#define TWINGUARD_VERSION_STRING "\(.*\)"/\1/p' include/twinguard.h)
soname=libtwinguard.so.${version%.*}
mkdir -p "$to/include" "$to/lib/pkgconfig"
cp include/twinguard.h "$to/include/"
cp "target/$profile/libtwinguard.a" "$to/lib/"
cp "target/$profile/libtwinguard.so" "$to/lib/libtwinguard.so.$version"
ln -sf "libtwinguard.so.$version" "$to/lib/$soname"
ln -sf "$soname" "$to/lib/libtwinguard.so"
cat > "$to/lib/pkgconfig/twinguard.pc" <<PC
prefix=$prefix
Name: twinguard
Description: Security module for Azure IoT Hub devices
Version: $version
Cflags: -I\${prefix}/include
Libs: -L\${prefix}/lib -ltwinguard
Libs.private: -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
PC
