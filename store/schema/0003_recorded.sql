-- That a batch's findings and changes have been recorded is said by the marker of its successor, which is written afterwards.
DROP TABLE IF EXISTS {database}.recorded {cluster};
