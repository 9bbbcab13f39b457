# Learns and judges messages with SpamAssassin's rules and its Bayes, without network.
# Argument: the folder for what is learned. Input: lines "ham FILE", "spam FILE" and "judge FILE"; output: "FILE SCORE".
use strict;
use warnings;
use Mail::SpamAssassin;

my ($state) = @ARGV;
my $filter = Mail::SpamAssassin->new({
    local_tests_only => 1, dont_copy_prefs => 1, userprefs_filename => "$state/none", userstate_dir => $state,
    post_config_text => "use_bayes 1\nbayes_path $state/bayes\nbayes_auto_learn 0\nbayes_journal_max_size 0\nlock_method flock\n",
});
$filter->compile_now(0);
while (my $line = <STDIN>) {
    chomp $line;
    my ($what, $file) = split / /, $line, 2;
    open(my $in, '<:raw', $file) or die "$file: $!\n";
    my $raw = do { local $/; <$in> };
    close $in;
    my $mail = $filter->parse($raw // '');
    if ($what eq 'judge') {
        my $status = $filter->check($mail);
        printf "%s %s\n", $file, $status->get_score;
        $status->finish;
    } else {
        $filter->learn($mail, undef, $what eq 'spam' ? 1 : 0, 0)->finish;
    }
    $mail->finish;
}
$filter->finish_learner;
