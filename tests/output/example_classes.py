"""Which kinds of frames each documented example output holds, and where lines of it stay text, and why."""

from __future__ import annotations

# By kinds, of which a file may hold several; all that a release printed and another did not is not held against it.
CLASSES: dict[str, str] = {
    "": """
        bcc/exitsnoop bcc/inject bcc/mptcpify bcc/runqslower bcc/tplist bcc/ttysnoop
    """,
    "histogram": """
        bcc/bitesize bcc/btrfsdist bcc/cpudist bcc/dbstat bcc/ext4dist bcc/funcinterval bcc/nfsdist
        bcc/runqlat bcc/tcprtt bcc/tcpsynbl bcc/wqlat bcc/xfsdist bcc/zfsdist bpftrace/biolatency
        bpftrace/biostacks bpftrace/bitesize bpftrace/cpuwalk bpftrace/runqlat bpftrace/runqlen
        bpftrace/xfsdist
    """,
    "histogram table": """
        bcc/argdist bcc/hardirqs bcc/softirqs bcc/tcpcong bpftrace/ssllatency bpftrace/tcpsynbl
    """,
    "histogram values": """
        bcc/biolatency bcc/funclatency bcc/readahead bcc/runqlen
    """,
    "lost stacks table": """
        bcc/trace
    """,
    "stacks": """
        bcc/criticalstat bcc/offcputime bcc/offwaketime bcc/profile bcc/stackcount bcc/wakeuptime
    """,
    "stacks table": """
        bcc/capable bcc/compactsnoop bcc/funcslower bcc/klockstat bcc/tcpdrop bpftrace/tcpdrop
    """,
    "stacks values": """
        bcc/deadlock bcc/memleak
    """,
    "table": """
        bcc/bashreadline bcc/bindsnoop bcc/biopattern bcc/biosnoop bcc/biotop bcc/bpflist bcc/btrfsslower
        bcc/cachestat bcc/cachetop bcc/cobjnew bcc/cpuunclaimed bcc/cthreads bcc/dbslower bcc/dcsnoop
        bcc/dcstat bcc/dirtop bcc/drsnoop bcc/execsnoop bcc/ext4slower bcc/f2fsslower bcc/filegone
        bcc/filelife bcc/fileslower bcc/filetop bcc/funccount bcc/gethostlatency bcc/javacalls bcc/javaflow
        bcc/javagc bcc/javaobjnew bcc/javastat bcc/javathreads bcc/killsnoop bcc/kvmexit bcc/mdflush
        bcc/mountsnoop bcc/mysqld_qslower bcc/netqtop bcc/nfsslower bcc/nodegc bcc/nodestat bcc/numasched
        bcc/oomkill bcc/opensnoop bcc/perlcalls bcc/perlflow bcc/perlstat bcc/phpcalls bcc/phpflow
        bcc/phpstat bcc/pidpersec bcc/ppchcalls bcc/pythoncalls bcc/pythonflow bcc/pythongc bcc/pythonstat
        bcc/rdmaucma bcc/reset-trace bcc/rubycalls bcc/rubyflow bcc/rubygc bcc/rubyobjnew bcc/rubystat
        bcc/shmsnoop bcc/slabratetop bcc/sofdsnoop bcc/softirqslower bcc/solisten bcc/sslsniff bcc/statsnoop
        bcc/swapin bcc/syncsnoop bcc/syscount bcc/tclcalls bcc/tclflow bcc/tclobjnew bcc/tclstat
        bcc/tcpaccept bcc/tcpconnect bcc/tcpconnlat bcc/tcplife bcc/tcpretrans bcc/tcpstates bcc/tcptop
        bcc/tcptracer bcc/threadsnoop bcc/ucalls bcc/uflow bcc/ugc bcc/uobjnew bcc/ustat bcc/uthreads
        bcc/vfscount bcc/vfsstat bcc/virtiostat bcc/xfsslower bcc/zfsslower bpftrace/bashreadline
        bpftrace/biosnoop bpftrace/capable bpftrace/dcsnoop bpftrace/execsnoop bpftrace/gethostlatency
        bpftrace/killsnoop bpftrace/loads bpftrace/mdflush bpftrace/naptime bpftrace/oomkill
        bpftrace/opensnoop bpftrace/pidpersec bpftrace/setuids bpftrace/sslsnoop bpftrace/statsnoop
        bpftrace/swapin bpftrace/syncsnoop bpftrace/syscount bpftrace/tcpaccept bpftrace/tcpconnect
        bpftrace/tcplife bpftrace/tcpretrans bpftrace/threadsnoop bpftrace/undump bpftrace/vfscount
        bpftrace/vfsstat bpftrace/writeback
    """,
    "table values": """
        bcc/biolatpcts bcc/llcstat
    """,
    "values": """
        bcc/tcpsubnet
    """,
}

# Files with lines that are no frame, or with none at all.
REST = {
    "bcc/bpflist": "lists the probes of other programs by name below its table",
    "bcc/cachetop": "a sentence in the file that reads like a row",
    "bcc/criticalstat": "a sentence for each section above its stack; the stacks are read",
    "bcc/deadlock": "two sentences above its report; its stacks are read",
    "bcc/exitsnoop": "what it printed was sent to files that are shown later",
    "bcc/inject": "prints nothing: its arguments go over several lines",
    "bcc/kvmexit": "a traceback",
    "bcc/memleak": "the end of its help text",
    "bcc/mptcpify": "prints nothing",
    "bcc/numasched": "a heading of the file",
    "bcc/ppchcalls": "a complaint about its arguments",
    "bcc/profile": "a stack whose count was cut off",
    "bcc/runqlat": "a sentence in the file that reads like a row",
    "bcc/runqslower": "a note of its own in sentences, at which the cut ends",
    "bcc/tplist": "lists probes and their arguments, in no form of columns",
    "bcc/trace": "structures of tracepoints, as C",
    "bcc/ttysnoop": "what another terminal shows",
}
