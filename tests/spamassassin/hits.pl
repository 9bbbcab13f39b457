#!/usr/bin/perl
# What SpamAssassin itself says of messages: `hits.pl RULES_DIR SITE_DIR <LIST`, LIST has one file name a line.
# The first line printed names all rules that it loaded; then a line a message: its file, a tab, the names of the rules that hit.
# No network, no learning, no lists that it keeps.
use strict;
use warnings;
use Mail::SpamAssassin;

my ($rules, $site) = @ARGV;
die "usage: hits.pl RULES_DIR SITE_DIR <LIST\n" unless defined $site;
my $filter = Mail::SpamAssassin->new({
    rules_filename      => $rules,
    site_rules_filename => $site,
    local_tests_only    => 1,
    dont_copy_prefs     => 1,
    userprefs_filename  => '/dev/null',
    # Rules stay listed after loading only if users might add their own.
    post_config_text    => "allow_user_rules 1\nuse_bayes 0\nuse_auto_whitelist 0\nuse_txrep 0\n",
});
$filter->init(0);
$| = 1;
my $conf = $filter->{conf};
print join(' ', '#rules', sort grep { $conf->{scores}{$_} } keys %{$conf->{tests}}), "\n";

while (my $file = <STDIN>) {
    chomp $file;
    open(my $in, '<', $file) or next;
    local $/ = undef;
    my $message = $filter->parse(scalar <$in>, 1);
    local $/ = "\n";
    close $in;
    my $status = $filter->check($message);
    my @hits = (split(/,/, $status->get_names_of_tests_hit()), split(/,/, $status->get_names_of_subtests_hit()));
    my %seen;
    print "$file\t", join(' ', sort grep { length && !$seen{$_}++ } map { s/\(.*//r } @hits), "\n";
    $status->finish();
    $message->finish();
}
