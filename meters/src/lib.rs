//! Two complete meter models and a laboratory meter, built from the COSEM interface classes.
