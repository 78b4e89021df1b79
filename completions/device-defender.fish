# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_device_defender_global_optspecs
    string join \n v/verbose q/quiet color= h/help V/version
end

function __fish_device_defender_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_device_defender_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_device_defender_using_subcommand
    set -l cmd (__fish_device_defender_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c device-defender -n "__fish_device_defender_needs_command" -l color -d 'When to color tables' -r -f -a "auto\t'If standard output is a terminal and NO_COLOR is not set'
always\t''
never\t''"
complete -c device-defender -n "__fish_device_defender_needs_command" -s v -l verbose -d 'Print each step to standard error'
complete -c device-defender -n "__fish_device_defender_needs_command" -s q -l quiet -d 'Print errors only'
complete -c device-defender -n "__fish_device_defender_needs_command" -s h -l help -d 'Print help; -h prints a summary'
complete -c device-defender -n "__fish_device_defender_needs_command" -s V -l version -d 'Print version'
complete -c device-defender -n "__fish_device_defender_needs_command" -f -a "collect" -d 'Print the metrics document of this device'
complete -c device-defender -n "__fish_device_defender_needs_command" -f -a "validate-params" -d 'Check the parameters of a Greengrass Device Defender connector'
complete -c device-defender -n "__fish_device_defender_needs_command" -f -a "publish" -d 'Send one report to AWS IoT Device Defender, or to any MQTT broker, and wait for the answer'
complete -c device-defender -n "__fish_device_defender_needs_command" -f -a "watch" -d 'Send reports periodically (every 5 minutes by default)'
complete -c device-defender -n "__fish_device_defender_needs_command" -f -a "detect" -d 'Check this device, or saved reports, against a security profile'
complete -c device-defender -n "__fish_device_defender_needs_command" -f -a "generate" -d 'Print a config file or shell completions, or write unit files for systemd'
complete -c device-defender -n "__fish_device_defender_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l config -d 'Read settings from this file [default: /etc/device-defender/config.toml, if it exists]' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l proc -d 'Read the tables below this path instead of /proc' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l netns -d 'Whose network namespace to show: auto, self, or a process ID' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l source -d 'Where to read sockets from' -r -f -a "auto\t'netlink for the network namespace of this process without --proc; else, and where the kernel refuses, proc'
proc\t'The tables in /proc/net, or below the path of --proc'
netlink\t'Ask the kernel (sock_diag): half of the work, and shows which sockets are bound to one interface'"
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l exclude-interface -d 'Leave interfaces that match this pattern out of the traffic; may be given more than once' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l custom-metrics -d 'Add the custom metrics in this file, - for standard input' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l names -d 'Write long or short field names' -r -f -a "long\t'listening_tcp_ports, and so on'
short\t'tp, and so on: about two thirds of the bytes'"
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l max-bytes -d 'Cut the lists so that the report takes at most this many bytes' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l compat -d 'Write what another agent wrote, for profiles tuned to it' -r -f -a "connector\t'AWS\'s Greengrass Device Defender connector'"
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l since -d 'Count traffic since: boot, report, or for a duration such as 10s' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l thing-name -d 'The thing whose state file --since report reads [default: $AWS_IOT_THING_NAME, or the only one there is]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l state-dir -d 'The directory of the state file [default: see FILES in the man page]' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -s f -l format -d 'Print JSON, CBOR, or tables for people' -r -f -a "json\t'One line; indented on a terminal'
cbor\t'For a program; refused on a terminal'
table\t'For people'"
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l color -d 'When to color tables' -r -f -a "auto\t'If standard output is a terminal and NO_COLOR is not set'
always\t''
never\t''"
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -l strict -d 'Exit with 65 when a row was malformed, with 66 when a table or the host\'s network namespace could not be read'
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -s t -d 'Print tables for people, like --format table'
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -s p -l processes -d 'Show in the tables which processes own the sockets'
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -s v -l verbose -d 'Print each step to standard error'
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -s q -l quiet -d 'Print errors only'
complete -c device-defender -n "__fish_device_defender_using_subcommand collect" -s h -l help -d 'Print help; -h prints a summary'
complete -c device-defender -n "__fish_device_defender_using_subcommand validate-params" -l sample-interval-seconds -d 'Check this SampleIntervalSeconds' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand validate-params" -l proc-destination-path-resource-id -d 'Check this ProcDestinationPath-ResourceId' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand validate-params" -l proc-destination-path -d 'Check this ProcDestinationPath' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand validate-params" -s f -l format -d 'Print text, or one JSON document' -r -f -a "text\t'For people'
json\t'For programs; one line, indented on a terminal'"
complete -c device-defender -n "__fish_device_defender_using_subcommand validate-params" -l color -d 'When to color tables' -r -f -a "auto\t'If standard output is a terminal and NO_COLOR is not set'
always\t''
never\t''"
complete -c device-defender -n "__fish_device_defender_using_subcommand validate-params" -l probe -d 'Also inspect the path on this machine'
complete -c device-defender -n "__fish_device_defender_using_subcommand validate-params" -s v -l verbose -d 'Print each step to standard error'
complete -c device-defender -n "__fish_device_defender_using_subcommand validate-params" -s q -l quiet -d 'Print errors only'
complete -c device-defender -n "__fish_device_defender_using_subcommand validate-params" -s h -l help -d 'Print help; -h prints a summary'
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l via -d 'Send over MQTT, or through the Greengrass nucleus that runs this as a component' -r -f -a "greengrass\t'Through the nucleus, without certificate and key'
mqtt\t'To an MQTT broker'"
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l endpoint -d 'The host name of the broker; for AWS IoT, what describe-endpoint --endpoint-type iot:Data-ATS prints' -r -f -a "(__fish_print_hostnames)"
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l port -d 'The port [default: 8883; with --insecure-plaintext 1883]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l thing-name -d 'The thing the report is about [default: $AWS_IOT_THING_NAME]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l client-id -d 'The MQTT client ID [default: THING-device-defender]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l mqtt-version -d 'The version of MQTT [default: auto]' -r -f -a "auto\t'5, or 3.1.1 if the broker refuses that'
5\t'5 only'
3.1.1\t'3.1.1 only'"
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l ca-file -d 'The certificates to trust, PEM [default: those of the system]' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l cert-file -d 'The certificate of this device, PEM, followed by intermediates if there are any' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l key-file -d 'The private key of this device, PEM, not encrypted' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l greengrass-root -d 'Read missing settings from the Greengrass core in this directory' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -s f -l format -d 'Send JSON or CBOR; the topic ends with the name of the format' -r -f -a "json\t'To .../metrics/json'
cbor\t'To .../metrics/cbor'"
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l timeout -d 'Overall timeout, including waiting for another run, connecting, and the answer [default: 30s]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l state-dir -d 'The directory of the state file [default: see FILES in the man page]' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l config -d 'Read settings from this file [default: /etc/device-defender/config.toml, if it exists]' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l proc -d 'Read the tables below this path instead of /proc' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l netns -d 'Whose network namespace to show: auto, self, or a process ID' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l source -d 'Where to read sockets from' -r -f -a "auto\t'netlink for the network namespace of this process without --proc; else, and where the kernel refuses, proc'
proc\t'The tables in /proc/net, or below the path of --proc'
netlink\t'Ask the kernel (sock_diag): half of the work, and shows which sockets are bound to one interface'"
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l exclude-interface -d 'Leave interfaces that match this pattern out of the traffic; may be given more than once' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l custom-metrics -d 'Add the custom metrics in this file, - for standard input' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l names -d 'Write long or short field names' -r -f -a "long\t'listening_tcp_ports, and so on'
short\t'tp, and so on: about two thirds of the bytes'"
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l max-bytes -d 'Cut the lists so that the report takes at most this many bytes' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l compat -d 'Write what another agent wrote, for profiles tuned to it' -r -f -a "connector\t'AWS\'s Greengrass Device Defender connector'"
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l color -d 'When to color tables' -r -f -a "auto\t'If standard output is a terminal and NO_COLOR is not set'
always\t''
never\t''"
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l once -d 'Send one report and exit, which is the default; to send reports periodically, use watch'
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l dry-run -d 'Print the report and its destination; connect to nothing, and leave the state unchanged'
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l check -d 'Check the settings, connect and subscribe as for a report, but send none'
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l insecure-plaintext -d 'Use MQTT without TLS; to a loopback address only'
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l no-wait -d 'Succeed once the broker acknowledges the report (PUBACK), or the nucleus takes it'
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -l strict -d 'Exit with 65 when a row was malformed, with 66 when a table or the host\'s network namespace could not be read'
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -s v -l verbose -d 'Print each step to standard error'
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -s q -l quiet -d 'Print errors only'
complete -c device-defender -n "__fish_device_defender_using_subcommand publish" -s h -l help -d 'Print help; -h prints a summary'
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -s i -l interval -d 'The time between two reports, in seconds or as a duration such as 5m [default: 300]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l splay -d 'Wait this long before the first report [default: less than an interval, derived from the thing name]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l count -d 'Exit after N cycles, with the exit code of the last one; every attempt is a cycle' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l params -d 'Read the interval and the /proc path from a connector definition; their flags and variables win' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l via -d 'Send over MQTT, or through the Greengrass nucleus that runs this as a component' -r -f -a "greengrass\t'Through the nucleus, without certificate and key'
mqtt\t'To an MQTT broker'"
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l endpoint -d 'The host name of the broker; for AWS IoT, what describe-endpoint --endpoint-type iot:Data-ATS prints' -r -f -a "(__fish_print_hostnames)"
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l port -d 'The port [default: 8883; with --insecure-plaintext 1883]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l thing-name -d 'The thing the report is about [default: $AWS_IOT_THING_NAME]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l client-id -d 'The MQTT client ID [default: THING-device-defender]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l mqtt-version -d 'The version of MQTT [default: auto]' -r -f -a "auto\t'5, or 3.1.1 if the broker refuses that'
5\t'5 only'
3.1.1\t'3.1.1 only'"
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l ca-file -d 'The certificates to trust, PEM [default: those of the system]' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l cert-file -d 'The certificate of this device, PEM, followed by intermediates if there are any' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l key-file -d 'The private key of this device, PEM, not encrypted' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l greengrass-root -d 'Read missing settings from the Greengrass core in this directory' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -s f -l format -d 'Send JSON or CBOR; the topic ends with the name of the format' -r -f -a "json\t'To .../metrics/json'
cbor\t'To .../metrics/cbor'"
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l timeout -d 'Overall timeout, including waiting for another run, connecting, and the answer [default: 30s]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l state-dir -d 'The directory of the state file [default: see FILES in the man page]' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l config -d 'Read settings from this file [default: /etc/device-defender/config.toml, if it exists]' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l proc -d 'Read the tables below this path instead of /proc' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l netns -d 'Whose network namespace to show: auto, self, or a process ID' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l source -d 'Where to read sockets from' -r -f -a "auto\t'netlink for the network namespace of this process without --proc; else, and where the kernel refuses, proc'
proc\t'The tables in /proc/net, or below the path of --proc'
netlink\t'Ask the kernel (sock_diag): half of the work, and shows which sockets are bound to one interface'"
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l exclude-interface -d 'Leave interfaces that match this pattern out of the traffic; may be given more than once' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l custom-metrics -d 'Add the custom metrics in this file, - for standard input' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l names -d 'Write long or short field names' -r -f -a "long\t'listening_tcp_ports, and so on'
short\t'tp, and so on: about two thirds of the bytes'"
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l max-bytes -d 'Cut the lists so that the report takes at most this many bytes' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l compat -d 'Write what another agent wrote, for profiles tuned to it' -r -f -a "connector\t'AWS\'s Greengrass Device Defender connector'"
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l color -d 'When to color tables' -r -f -a "auto\t'If standard output is a terminal and NO_COLOR is not set'
always\t''
never\t''"
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l allow-short-interval -d 'Allow an interval below 300 seconds'
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l print -d 'Print each report as a line of JSON, and send nothing'
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l insecure-plaintext -d 'Use MQTT without TLS; to a loopback address only'
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l no-wait -d 'Succeed once the broker acknowledges the report (PUBACK), or the nucleus takes it'
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -l strict -d 'Exit with 65 when a row was malformed, with 66 when a table or the host\'s network namespace could not be read'
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -s v -l verbose -d 'Print each step to standard error'
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -s q -l quiet -d 'Print errors only'
complete -c device-defender -n "__fish_device_defender_using_subcommand watch" -s h -l help -d 'Print help; -h prints a summary'
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l profile -d 'The security profile, or its list of behaviors, - for standard input; may be given more than once' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l learn-prefix -d 'With --learn, allow the networks of this size around the addresses, such as 24,64 for IPv4 and IPv6' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l report -d 'Check the reports in this file instead of this device, - for standard input' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l max-things -d 'With --report, remember at most this many things, and forget the least recently seen first' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l config -d 'Read settings from this file [default: /etc/device-defender/config.toml, if it exists]' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l proc -d 'Read the tables below this path instead of /proc' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l netns -d 'Whose network namespace to show: auto, self, or a process ID' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l source -d 'Where to read sockets from' -r -f -a "auto\t'netlink for the network namespace of this process without --proc; else, and where the kernel refuses, proc'
proc\t'The tables in /proc/net, or below the path of --proc'
netlink\t'Ask the kernel (sock_diag): half of the work, and shows which sockets are bound to one interface'"
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l exclude-interface -d 'Leave interfaces that match this pattern out of the traffic; may be given more than once' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l custom-metrics -d 'Add the custom metrics in this file, - for standard input' -r -F
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l since -d 'Count traffic since: boot, report, or for a duration such as 300s [default: report, if one was accepted]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l thing-name -d 'The thing whose state file is read [default: $AWS_IOT_THING_NAME, or the only one there is]' -r -f
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l state-dir -d 'The directory of the state file [default: see FILES in the man page]' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -s f -l format -d 'Print a table for people, or JSON: the verdicts in one document, or for several reports the events, one per line [default: table]' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l color -d 'When to color tables' -r -f -a "auto\t'If standard output is a terminal and NO_COLOR is not set'
always\t''
never\t''"
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l learn -d 'Print a profile that this device, or the reports of --report, conform to, as a start to be edited'
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l trust-devices -d 'With --report and mosquitto_sub -v, accept reports of many things'
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -l strict -d 'Exit with 65 when a row was malformed, with 66 when a table or the host\'s network namespace could not be read'
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -s t -d 'Print a table for people, like --format table'
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -s p -l processes -d 'Show which processes own the ports and connections that violate a behavior'
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -s v -l verbose -d 'Print each step to standard error'
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -s q -l quiet -d 'Print errors only'
complete -c device-defender -n "__fish_device_defender_using_subcommand detect" -s h -l help -d 'Print help; -h prints a summary'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and not __fish_seen_subcommand_from completions config units" -l color -d 'When to color tables' -r -f -a "auto\t'If standard output is a terminal and NO_COLOR is not set'
always\t''
never\t''"
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and not __fish_seen_subcommand_from completions config units" -s v -l verbose -d 'Print each step to standard error'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and not __fish_seen_subcommand_from completions config units" -s q -l quiet -d 'Print errors only'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and not __fish_seen_subcommand_from completions config units" -s h -l help -d 'Print help; -h prints a summary'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and not __fish_seen_subcommand_from completions config units" -f -a "completions" -d 'Print the completions for a shell'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and not __fish_seen_subcommand_from completions config units" -f -a "config" -d 'Print a config file to start from'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and not __fish_seen_subcommand_from completions config units" -f -a "units" -d 'Write unit files for systemd'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from completions" -l color -d 'When to color tables' -r -f -a "auto\t'If standard output is a terminal and NO_COLOR is not set'
always\t''
never\t''"
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from completions" -s v -l verbose -d 'Print each step to standard error'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from completions" -s q -l quiet -d 'Print errors only'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from completions" -s h -l help -d 'Print help; -h prints a summary'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from config" -l greengrass-root -d 'Fill in the settings of the Greengrass core in this directory' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from config" -l color -d 'When to color tables' -r -f -a "auto\t'If standard output is a terminal and NO_COLOR is not set'
always\t''
never\t''"
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from config" -s v -l verbose -d 'Print each step to standard error'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from config" -s q -l quiet -d 'Print errors only'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from config" -s h -l help -d 'Print help; -h prints a summary'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from units" -l greengrass-root -d 'Pass the certificate and key of the Greengrass core in this directory to the service' -r -f -a "(__fish_complete_directories)"
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from units" -l color -d 'When to color tables' -r -f -a "auto\t'If standard output is a terminal and NO_COLOR is not set'
always\t''
never\t''"
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from units" -l force -d 'Replace files that are there and differ'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from units" -s v -l verbose -d 'Print each step to standard error'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from units" -s q -l quiet -d 'Print errors only'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from units" -s h -l help -d 'Print help; -h prints a summary'
complete -c device-defender -n "__fish_device_defender_using_subcommand help; and not __fish_seen_subcommand_from collect validate-params publish watch detect generate" -f -a "collect" -d 'Print the metrics document of this device'
complete -c device-defender -n "__fish_device_defender_using_subcommand help; and not __fish_seen_subcommand_from collect validate-params publish watch detect generate" -f -a "validate-params" -d 'Check the parameters of a Greengrass Device Defender connector'
complete -c device-defender -n "__fish_device_defender_using_subcommand help; and not __fish_seen_subcommand_from collect validate-params publish watch detect generate" -f -a "publish" -d 'Send one report to AWS IoT Device Defender, or to any MQTT broker, and wait for the answer'
complete -c device-defender -n "__fish_device_defender_using_subcommand help; and not __fish_seen_subcommand_from collect validate-params publish watch detect generate" -f -a "watch" -d 'Send reports periodically (every 5 minutes by default)'
complete -c device-defender -n "__fish_device_defender_using_subcommand help; and not __fish_seen_subcommand_from collect validate-params publish watch detect generate" -f -a "detect" -d 'Check this device, or saved reports, against a security profile'
complete -c device-defender -n "__fish_device_defender_using_subcommand help; and not __fish_seen_subcommand_from collect validate-params publish watch detect generate" -f -a "generate" -d 'Print a config file or shell completions, or write unit files for systemd'
complete -c device-defender -n "__fish_device_defender_using_subcommand help; and not __fish_seen_subcommand_from collect validate-params publish watch detect generate" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c device-defender -n "__fish_device_defender_using_subcommand generate; and __fish_seen_subcommand_from completions" -f -a "bash zsh fish"
