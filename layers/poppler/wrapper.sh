#!/bin/sh
# Starts the layer's program of the same name with the layer's own loader, libraries, CMaps and fonts, wherever it lies.
case $0 in */*) home=${0%/*}/../poppler ;; *) home=../poppler ;; esac
# libpoppler and fonts.conf know this folder as /proc/self/fd/9: their paths are compiled in, this folder's place is not.
exec 9<"$home/share"
export FONTCONFIG_FILE=/proc/self/fd/9/fonts.conf LC_ALL=C
unset LD_PRELOAD LD_LIBRARY_PATH FONTCONFIG_PATH FONTCONFIG_SYSROOT
exec "$home"/lib/ld-linux-*.so.* --inhibit-cache --library-path "$home/lib" "$home/bin/${0##*/}" "$@"
