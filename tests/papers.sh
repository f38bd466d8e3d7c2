#!/bin/bash
# tests/papers.sh: what naru writes about itself: manual pages without a warning, completion that completes in each shell,
# one line a command in docs/commands.md, and that tools/place-files puts all of it in its place.
cd "$(dirname "$0")/.." || exit 1
naru=${NARU_BUILD:-build}/naru
passed=0 failed=0 skipped=0
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
unset LC_ALL LC_MESSAGES
export LANG=C.UTF-8

verdict() {                     # WHAT COMPLAINTS: fine when there are none
    if [ -z "$2" ]; then
        echo "ok $1"; passed=$((passed + 1))
    else
        printf 'not ok %s\n%s\n' "$1" "$2"; failed=$((failed + 1))
    fi
}
skip() { echo "SKIPPED $1: $2"; skipped=$((skipped + 1)); }
have() { command -v "$1" >/dev/null; }

commands=$("$naru" --help | sed -n 's/^  \([a-z]*\)  *.*/\1/p')
pages=$("$naru" man --list)

complaints=$(for command in $commands; do
    grep -qx "naru-$command.1" <<<"$pages" || echo "no page for $command"
    page=$("$naru" man "$command")
    for option in $("$naru" "$command" --help | sed -n 's/^  --\([a-z-]*\).*/\1/p'); do
        grep -qF -- "\\-\\-${option//-/\\-}" <<<"$page" || echo "naru-$command.1 does not know --$option"
    done
done)
[ "$(wc -w <<<"$commands")" -ge 10 ] || complaints="fewer than ten commands"
verdict "every command and option has its manual page" "$complaints"

# The checker first: a page with an unknown request must be refused.
read_page() { groff -ww -k -man -Tutf8 2>&1 >"$scratch/page" || echo "groff failed"; }
if have groff; then
    complaints=$(for page in $pages; do "$naru" man "$page" --lang en | read_page | sed "s/^/$page: /"; done
        "$naru" man naru.conf --lang ko | read_page
        grep -q 이름 "$scratch/page" || echo "no Korean on the Korean page"
        [ -n "$(printf '.TH X 1\n.unheard_of\n' | read_page)" ] || echo "groff lets everything pass")
    verdict "groff reads the pages without a warning" "$complaints"
else
    skip "the pages by groff" "groff is not installed"
fi
if have mandoc; then
    complaints=$(for page in $pages; do "$naru" man "$page" | mandoc -Tlint -W warning | grep -v 'missing date'; done)
    verdict "mandoc reads the pages without a warning" "$complaints"
else
    skip "the pages by mandoc" "mandoc is not installed"
fi

# What bash would offer for these words, on one line; the last word is being typed.
offers() {
    NARU_UNDER_TEST=$naru bash --norc -c 'source <("$NARU_UNDER_TEST" completion bash)
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _naru; echo "${COMPREPLY[*]}"' bash "$@" 2>&1
}
expect() { said=$(offers "${@:2}"); [ "$said" = "$1" ] || echo "\"${*:2}\" offers \"$said\", wanted \"$1\""; }
touch "$scratch/one.conf"; mkdir "$scratch/folder"
complaints=$(
    expect "query queue" naru qu
    expect "--lang" naru try --la
    expect "ko en" naru query --lang ""
    expect "ko" naru query --lang = k
    expect "release" naru queue rel
    expect "mta" naru config describe mt
    expect "$scratch/one.conf" naru config check "$scratch/o"
    expect "$scratch/folder" naru status --dir "$scratch/f"
    expect "" naru account --role ""
    expect "naru.conf" naru man naru
    expect "zsh" naru completion z
    for command in $commands; do
        words=" $(offers naru "$command" --) "
        for option in $("$naru" "$command" --help | sed -n 's/^  --\([a-z-]*\).*/\1/p'); do
            [[ $words == *" --$option "* ]] || echo "naru $command -- does not offer --$option"
        done
    done)
verdict "bash completes commands, verbs, options, values and files" "$complaints"

if have fish; then
    "$naru" completion fish >"$scratch/naru.fish"
    offers=$(fish --no-config -c "function naru; end; source $scratch/naru.fish; complete -C 'naru que'; complete -C 'naru query --lang ' | sort; complete -C 'naru queue rel'" 2>&1 | cut -f1 | tr '\n' ' ')
    [ "$offers" = "query queue en ko release " ] && complaints="" || complaints="it offers \"$offers\""
    verdict "fish completes commands, verbs and values" "$complaints"
else
    skip "completion in fish" "fish is not installed"
fi
if have zsh; then
    "$naru" completion zsh >"$scratch/_naru"
    complaints=$(zsh -f -c "autoload -Uz compinit && compinit -D; source $scratch/_naru && [ \"\$_comps[naru]\" = _naru ] || echo 'not registered'" 2>&1)
    verdict "zsh takes the completion" "$complaints"
else
    skip "completion in zsh" "zsh is not installed"
fi

complaints=$(for command in $commands; do
    grep -q "^| \[\?\`naru $command\`" docs/commands.md || echo "docs/commands.md does not list naru $command"
done
grep -o "^| \[\?\`naru [a-z]*\`" docs/commands.md | sed 's/.*naru \([a-z]*\).*/\1/' | while read -r command; do
    grep -qx "$command" <<<"$commands" || echo "docs/commands.md lists naru $command, which there is not"
    [ "$(grep -c "^| \[\?\`naru $command\`" docs/commands.md)" = 1 ] || echo "docs/commands.md lists naru $command twice"
done)
verdict "docs/commands.md lists the commands that there are" "$complaints"

complaints=$(DESTDIR=$scratch/root PREFIX=/usr tools/place-files 2>&1 >/dev/null
    for file in bin/naru share/man/man1/naru.1 share/man/man1/naru-try.1 share/man/man5/naru.conf.5 \
        share/man/ko/man5/naru.conf.5 share/bash-completion/completions/naru share/zsh/site-functions/_naru \
        share/fish/vendor_completions.d/naru.fish share/doc/naru/config.md; do
        [ -s "$scratch/root/usr/$file" ] || echo "no $file"
    done)
verdict "make install places the program and its papers" "$complaints"

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
